/**
 * What a configured client is kept to: the authorization server and the token endpoint that it was first used with. A server that names
 * another one later gets nothing (UP-01, UP-05) until an administrator saves its authentication anew, which counts up its
 * `authentication_revision`.
 */
import { ok, type Result } from "../../ports.ts";
import type { Server } from "../../registry/index.ts";
import { authEvent } from "../../login/index.ts";
import type { Base, TokenFailure } from "../types.ts";
import { type Client, upstreamPins } from "./client.ts";
import { configuredCallback } from "./callbacks.ts";
import { wrong } from "./failures.ts";

export interface Endpoints {
  readonly issuer: string;
  readonly authorization_endpoint?: string | undefined;
  readonly token_endpoint: string;
}

/** Keeps these, or checks that they are the same as before. Failure `issuer_changed`. */
export async function pinTo(
  base: Base,
  server: Server,
  client: Client,
  seen: Endpoints,
): Promise<Result<void, TokenFailure>> {
  const repository = upstreamPins(base);
  let pin = await repository.pin(server.id, server.authentication_revision);
  if (pin === undefined) {
    const now = base.platform.ports.clock.now();
    await repository.putPin({
      ...{ server_id: server.id, issuer: seen.issuer, token_endpoint: seen.token_endpoint, how: "configured" },
      ...{ client_id: client.client_id, client_authentication: client.client_authentication, credential: null },
      ...{
        server_revision: server.authentication_revision,
        revision: 1,
        expires_at: null,
        created_at: now,
        updated_at: now,
      },
      authorization_endpoint: seen.authorization_endpoint ?? null,
      redirect_uri: configuredCallback(base.tenant.origin, server),
    });
    pin = await repository.pin(server.id, server.authentication_revision);
  }
  if (pin?.issuer === seen.issuer && pin.token_endpoint === seen.token_endpoint) return ok(undefined);
  return issuerChanged(base, server);
}

/** Whatever is to be sent stays here, and the audit log tells. */
export async function issuerChanged(base: Base, server: Server): Promise<Result<never, TokenFailure>> {
  const reason = "issuer_changed";
  base.platform.log("warn", "A server names another authorization server than before", {
    tenant: base.tenant.id,
    server: server.slug,
    reason,
  });
  const act = { action: "connection.issuer_changed", outcome: "refused", reason, resource: server.id } as const;
  await base.recorder.record(authEvent(base, act));
  return wrong(reason);
}
