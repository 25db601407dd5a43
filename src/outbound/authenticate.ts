/** What goes on the wire upstream so that the server knows Gatehouse: one credential, from the vault, and nothing of the caller's. */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Clock, type Result } from "../ports.ts";
import { credentialSchema, type Credential, type Server } from "../registry/index.ts";
import { serverCredentialBinding, type Vault } from "../vault/index.ts";

/** Additions to an upstream request. They win over anything of the same name. */
export interface Authentication {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly query: readonly (readonly [name: string, value: string])[];
}

const nothing: Authentication = { headers: [], query: [] };

/** Opened credentials, in memory only and for at most a minute. A change counts the revision up and so misses the cache. */
const opened = new Map<string, { readonly value: Authentication; readonly until: number }>();

/**
 * @returns `upstream_credential` when the server needs a credential and none is stored, or when the stored one cannot be
 *   opened
 */
export async function authenticationFor(
  vault: Vault,
  clock: Clock,
  tenant: string,
  server: Server,
): Promise<Result<Authentication, Failure>> {
  if (server.authentication.type === "none") return ok(nothing);
  const key = `${tenant} ${server.id} ${server.revision}`;
  const cached = opened.get(key);
  const now = clock.now();
  if (cached !== undefined && cached.until > now && cached.until - now <= limits.credentialCache_ms) {
    return ok(cached.value);
  }
  forgetExpired(now);
  opened.delete(key);
  if (server.credential === null) {
    return err(
      failure(
        "upstream_credential",
        `No credential is stored for server "${server.slug}": an administrator must set one`,
        {
          reason: "credential_missing",
        },
      ),
    );
  }
  const secret = await vault.open(serverCredentialBinding(tenant, server.id, server.revision), server.credential);
  if (!secret.ok) return secret;
  const credential = credentialSchema.safeParse(JSON.parse(secret.value));
  const value = credential.success ? additions(server, credential.data) : undefined;
  if (value === undefined) {
    return err(
      failure("upstream_credential", `The credential of server "${server.slug}" does not fit its authentication type`, {
        reason: "credential_mismatch",
      }),
    );
  }
  if (opened.size >= limits.credentialCache_count) {
    const oldest = opened.keys().next();
    if (!oldest.done) opened.delete(oldest.value);
  }
  opened.set(key, { value, until: now + limits.credentialCache_ms });
  return ok(value);
}

/** What nobody asks for any more must not stay either. Entries are in the order of their ends, so the first live one stops it. */
function forgetExpired(now: number): void {
  for (const [key, { until }] of opened) {
    if (until > now && until - now <= limits.credentialCache_ms) return;
    opened.delete(key);
  }
}

/** @returns undefined when the secret is of another type than the server's authentication */
function additions(server: Server, credential: Credential): Authentication | undefined {
  const { authentication } = server;
  if (authentication.type === "bearer" && credential.type === "bearer") {
    return { headers: [["authorization", `Bearer ${credential.token}`]], query: [] };
  }
  if (authentication.type === "basic" && credential.type === "basic") {
    // RFC 7617 section 2: user-id, colon, password in UTF-8, then base64.
    const pair = new TextEncoder().encode(`${authentication.username}:${credential.password}`);
    return { headers: [["authorization", `Basic ${pair.toBase64()}`]], query: [] };
  }
  if (authentication.type === "api_key_header" && credential.type === "api_key_header") {
    return { headers: [[authentication.header, credential.key]], query: [] };
  }
  if (authentication.type === "api_key_query" && credential.type === "api_key_query") {
    return { headers: [], query: [[authentication.parameter, credential.key]] };
  }
  if (
    authentication.type === "headers" &&
    credential.type === "headers" &&
    authentication.headers.length === credential.values.length
  ) {
    const { values } = credential;
    return { headers: authentication.headers.map((name, at) => [name, values[at] ?? ""] as const), query: [] };
  }
  return undefined;
}
