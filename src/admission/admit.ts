/** From the presented credential to the principal, on one snapshot and without storage. */
import type { Mode } from "../env.ts";
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import type { Snapshot, Token } from "../tenant/index.ts";
import { admitAccessToken, isAccessToken, stillStanding, type Door } from "./access-token.ts";
import { readBearer } from "./bearer.ts";
import type { Principal } from "./principal.ts";
import { sha256 } from "../sha256.ts";

const development: Principal = { id: "development", kind: "development", agent: "development" };

const unauthenticated = failure("unauthenticated", undefined, { reason: "no_credential" });
const refused = (reason: string): Failure => failure("invalid_token", undefined, { reason });

/**
 * Who calls an MCP endpoint: a machine client by its token, or whoever an access token of ours names. Administrators' tokens are
 * not for calls.
 */
export async function admitClient(
  mode: Mode,
  snapshot: Snapshot,
  headers: Headers,
  door: Door,
  now: number,
): Promise<Result<Principal, Failure>> {
  if (mode === "development") return ok(development);
  const bearer = readBearer(headers);
  if (!bearer.ok) return bearer;
  if (bearer.value === undefined) return err(unauthenticated);
  if (isAccessToken(bearer.value)) return admitAccessToken(snapshot, door, bearer.value, now);
  const presented = await knownToken(snapshot, bearer.value, now);
  if (!presented.ok) return presented;
  const token = presented.value;
  if (token.kind !== "client" || token.client_id === null) return err(refused("wrong_token_kind"));
  const client = snapshot.clients.get(token.client_id);
  if (client === undefined || !client.enabled) return err(refused("client_disabled"));
  return ok({
    id: `client:${client.id}`,
    kind: "client",
    agent: client.id,
    token_id: token.id,
    expires_at: token.expires_at,
  });
}

/** Who calls the admin API: an administrator by token. */
export async function admitAdministrator(
  mode: Mode,
  snapshot: Snapshot,
  headers: Headers,
  now: number,
): Promise<Result<Principal, Failure>> {
  if (mode === "development") return ok(development);
  const bearer = readBearer(headers);
  if (!bearer.ok) return bearer;
  if (bearer.value === undefined) return err(unauthenticated);
  const presented = await knownToken(snapshot, bearer.value, now);
  if (!presented.ok) return presented;
  const token = presented.value;
  if (token.kind !== "administrator") return err(refused("wrong_token_kind"));
  const agent = `administrator:${token.id}`;
  return ok({ id: agent, kind: "administrator", agent, token_id: token.id, expires_at: token.expires_at });
}

/** Whether an admission still holds on a newer snapshot: what open streams ask. */
export function stillAdmitted(principal: Principal, snapshot: Snapshot, now: number): boolean {
  if (principal.kind === "development") return true;
  if (principal.access !== undefined) return stillStanding(principal, snapshot, now);
  if (principal.expires_at !== undefined && principal.expires_at <= now) return false;
  const live = snapshot.tokensById.get(principal.token_id ?? "");
  if (live === undefined || live.expires_at <= now) return false;
  return principal.kind !== "client" || snapshot.clients.get(principal.agent)?.enabled === true;
}

async function knownToken(snapshot: Snapshot, bearer: string, now: number): Promise<Result<Token, Failure>> {
  const token = snapshot.tokens.get(await sha256(bearer));
  if (token === undefined) return err(refused("unknown_token"));
  // Also for a token of the snapshot: it may expire while the snapshot lives.
  return token.expires_at <= now ? err(refused("token_expired")) : ok(token);
}
