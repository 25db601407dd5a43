/** The certified library, told to use our network, our clock and our keys. */
import * as client from "openid-client";
import type { Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { createLibraryFetch } from "../trust/index.ts";
import type { ProviderMetadata } from "./discovery.ts";
import type { SignInFailure } from "./failures.ts";
import { callbackPath } from "./mix-up.ts";
import { clientAuthentication } from "./provider-client.ts";
import { openProviderSecret, type StoredProvider } from "./providers.ts";
import type { Visit } from "./visit.ts";

export interface RelyingParty {
  readonly configuration: client.Configuration;
  /** What went wrong on the network, if that was it. */
  networkFailure(): Failure | undefined;
}

/**
 * The library judges times by the system's clock. Ours is a port, so times are judged in `trust/` and here, and the library gets a
 * tolerance that makes it indifferent (about thirty years).
 */
const anyTime_s = 1_000_000_000;

export const redirectUri = (visit: Visit, provider: StoredProvider): string =>
  `${visit.tenant.origin}${callbackPath(provider)}`;

export async function openRelyingParty(
  visit: Visit,
  provider: StoredProvider,
  metadata: ProviderMetadata,
): Promise<Result<RelyingParty, SignInFailure>> {
  const secret = await openProviderSecret(visit.vault, visit.tenant.id, provider);
  if (!secret.ok) {
    const fields = { tenant: visit.tenant.id, provider: provider.id, reason: secret.error.reason };
    visit.platform.log("error", "The client secret of an identity provider cannot be opened", fields);
    return err("unavailable");
  }
  const server: client.ServerMetadata = {
    issuer: metadata.issuer,
    authorization_endpoint: metadata.authorization_endpoint,
    token_endpoint: metadata.token_endpoint,
    jwks_uri: metadata.jwks_uri,
    ...(metadata.userinfo_endpoint === undefined ? {} : { userinfo_endpoint: metadata.userinfo_endpoint }),
    authorization_response_iss_parameter_supported: metadata.authorization_response_iss_parameter_supported ?? false,
    id_token_signing_alg_values_supported: [...metadata.algorithms],
  };
  const configuration = new client.Configuration(
    server,
    provider.client_id,
    { [client.clockTolerance]: anyTime_s },
    authentication(secret.value, provider, metadata),
  );
  // Which addresses may be called, and whether without TLS, is decided in `egress/`, as for every other request.
  client.allowInsecureRequests(configuration);
  configuration.timeout = 0;
  const network = createLibraryFetch(visit.fetch, {
    answer_ms: limits.providerAnswer_ms,
    answer_bytes: limits.providerAnswer_bytes,
  });
  configuration[client.customFetch] = async (url, options) => onlyJson(await network.fetch(url, options));
  return ok({ configuration, networkFailure: network.failure });
}

function authentication(
  secret: string | undefined,
  provider: StoredProvider,
  metadata: ProviderMetadata,
): client.ClientAuth {
  if (secret === undefined) return client.None();
  const sendsInBody = clientAuthentication(provider, metadata) === "client_secret_post";
  return sendsInBody ? client.ClientSecretPost(secret) : client.ClientSecretBasic(secret);
}

/** Of a userinfo answer as JWT the library would check no signature. */
function onlyJson(answer: Response): Response {
  const isJson = /^application\/json\s*(?:;|$)/i.test(answer.headers.get("content-type") ?? "");
  return new Response(isJson ? answer.body : null, {
    status: answer.status,
    headers: { "content-type": isJson ? "application/json" : "text/plain" },
  });
}
