/** A server as answers show it, with what a call would lack. */
import { configuredCallback } from "../connections/index.ts";
import { isPersonal, type StoredServer } from "../registry/index.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { headerSecretsOf, isCredentialGood } from "./server-secrets.ts";

export async function serverView(
  admin: AdminDependencies,
  server: StoredServer,
  warnings: readonly string[] = [],
): Promise<Readonly<Record<string, unknown>>> {
  const header_secrets = await headerSecretsOf(admin, server);
  const missing = [
    ...(await missingCredential(admin, server)),
    ...Object.entries(header_secrets).flatMap(([name, { set }]) =>
      set ? [] : [`Header ${name} needs a secret and none is stored: send it in "header_secrets".`],
    ),
  ];
  return {
    id: server.id,
    slug: server.slug,
    name: server.name,
    url: server.url,
    endpoint: `${admin.origin}/mcp/${server.slug}`,
    enabled: server.enabled,
    timeout_ms: server.timeout_ms,
    access: server.access,
    authentication: server.authentication,
    redirect_uri: server.authentication.type === "oauth" ? configuredCallback(admin.origin, server) : undefined,
    credential: { set: server.credential !== null },
    outbound_headers: server.outbound_headers,
    header_secrets,
    agent_authentication: server.agent_authentication,
    inbound_headers: server.inbound_headers,
    ready: missing.length === 0,
    ready_detail: missing.length === 0 ? undefined : missing.join(" "),
    created_at: server.created_at,
    updated_at: server.updated_at,
    warnings: warnings.length === 0 ? undefined : warnings,
  };
}

async function missingCredential(admin: AdminDependencies, server: StoredServer): Promise<readonly string[]> {
  if (!needsCredential(server) || (await isCredentialGood(admin, server))) return [];
  const { type } = server.authentication;
  if (server.credential === null) {
    return [`Authentication ${type} needs a credential and none is stored: send it as "credential".`];
  }
  return [
    'The stored credential cannot be used: it was stored by release 0.1.0, does not open, or was given for another address or authentication. Send it again as "credential".',
  ];
}

/** Each person's own is theirs to give, and a client that registered itself has its secret elsewhere. */
function needsCredential({ authentication }: StoredServer): boolean {
  if (authentication.type === "none" || authentication.type === "passthrough") return false;
  if (authentication.type === "oauth") {
    const { client_id, client_authentication = "none" } = authentication;
    return client_id !== undefined && client_authentication !== "none";
  }
  return !isPersonal(authentication);
}
