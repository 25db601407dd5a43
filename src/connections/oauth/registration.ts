/** Dynamic registration at an authorization server. */
import { allowInsecureRequests, customFetch, dynamicClientRegistrationRequest } from "oauth4webapi";
import * as z from "zod";
import { limits } from "../../limits.ts";
import { ok, type Result } from "../../ports.ts";
import { clientAuthenticationSchema, secretValueSchema, type ClientAuthentication } from "../../registry/index.ts";
import { createLibraryFetch, isTransientStatus, readJson } from "../../trust/index.ts";
import type { Base, TokenFailure } from "../types.ts";
import { preferredMethod } from "./client-authentication.ts";
import { clientMetadata } from "./client-document.ts";
import { passing, retryAt, unanswered, wrong } from "./failures.ts";
import type { ServerMetadata } from "./server-metadata.ts";

export interface Registration {
  readonly client_id: string;
  readonly client_authentication: ClientAuthentication;
  readonly client_secret?: string;
  /** Milliseconds since the Unix epoch; null: for ever. */
  readonly expires_at: number | null;
}

/** The secret that comes back is safer than none. We have no key of our own to publish. */
const methods = ["client_secret_basic", "client_secret_post", "none"] as const;

/** Servers leave out `client_secret_expires_at`, which RFC 7591 wants with a secret. */
const registeredSchema = z.object({
  client_id: z.string().regex(/^[\x20-\x7e]{1,2048}$/),
  client_secret: secretValueSchema.or(z.literal("")).nullish(),
  client_secret_expires_at: z.number().nonnegative().nullish(),
  token_endpoint_auth_method: z.string().nullish(),
});

/** @see RFC 7591 section 3 */
export async function register(
  base: Base,
  metadata: ServerMetadata,
  callback: string,
): Promise<Result<Registration, TokenFailure>> {
  const { issuer, registration_endpoint, authentication_methods } = metadata;
  if (registration_endpoint === undefined) return wrong("no_registration");
  const method = preferredMethod(authentication_methods, methods);
  if (method === undefined) return wrong("no_client_authentication");
  const network = createLibraryFetch(base.fetch, {
    answer_ms: limits.tokenAnswer_ms,
    answer_bytes: limits.registrationAnswer_bytes,
  });
  let answer: Response;
  try {
    answer = await dynamicClientRegistrationRequest(
      { issuer, registration_endpoint },
      { ...clientMetadata(base.tenant.origin, callback), token_endpoint_auth_method: method },
      { [customFetch]: network.fetch, [allowInsecureRequests]: true },
    );
  } catch (thrown) {
    const failed = network.failure();
    if (failed === undefined) throw thrown;
    return unanswered("registration", failed);
  }
  const now = base.platform.ports.clock.now();
  if (answer.status !== 201 && answer.status !== 200) {
    return isTransientStatus(answer.status)
      ? passing("registration_status", retryAt(answer.headers, now))
      : wrong("registration_refused");
  }
  return registrationOf(new Uint8Array(await answer.arrayBuffer()), method, now);
}

/** The method that comes back counts, whatever was asked for; without one, what was asked for. */
function registrationOf(
  bytes: Uint8Array,
  asked: ClientAuthentication,
  now: number,
): Result<Registration, TokenFailure> {
  const json = readJson(bytes);
  const parsed = json.ok ? registeredSchema.safeParse(json.value) : undefined;
  if (parsed?.success !== true) return wrong("registration_invalid");
  const { client_id, client_secret, client_secret_expires_at, token_endpoint_auth_method } = parsed.data;
  const told = clientAuthenticationSchema.safeParse(token_endpoint_auth_method ?? asked);
  if (!told.success || told.data === "private_key_jwt") return wrong("registration_method");
  const hasSecret = client_secret !== undefined && client_secret !== null && client_secret !== "";
  const client_authentication = hasSecret ? told.data : "none";
  if (!hasSecret || client_authentication === "none") return ok({ client_id, client_authentication, expires_at: null });
  // RFC 7591 section 3.2.1: 0 is never.
  const expires_s = client_secret_expires_at ?? 0;
  const expires_at = expires_s === 0 ? null : Math.min(expires_s * 1000, now + limits.tokenLife_ms_outermost);
  return ok({ client_id, client_authentication, client_secret, expires_at });
}
