/** Who calls, on one snapshot and without storage. */
import type { Mode } from "../env.ts";
import type { Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import type { Snapshot } from "../tenant/index.ts";
import { stillStanding, type Door } from "./access-token.ts";
import { readBearer } from "./bearer.ts";
import { guestOf, stillPassthrough } from "./guest.ts";
import { admitKnown, knownToken, refused, unauthenticated } from "./known.ts";
import { admitAtPassthrough, admitDeveloper, ruleOf, type PassthroughDoor } from "./passthrough.ts";
import type { Principal } from "./principal.ts";

const development: Principal = { id: "development", kind: "development", agent: "development" };

/**
 * Who calls an MCP endpoint.
 * @param door with `passthrough` where it is that of a server which is switched on and takes the caller's own credential
 */
export async function admitClient(
  mode: Mode,
  snapshot: Snapshot,
  headers: Headers,
  door: Door & { readonly passthrough?: PassthroughDoor | undefined },
  now: number,
): Promise<Result<Principal, Failure>> {
  const { passthrough } = door;
  const rule = passthrough === undefined ? undefined : ruleOf(passthrough.server);
  if (passthrough === undefined || rule === undefined) {
    return mode === "development" ? ok(development) : admitKnown(snapshot, headers, door, now);
  }
  return mode === "development"
    ? admitDeveloper(headers, { ...door, passthrough }, development)
    : admitAtPassthrough(snapshot, headers, { ...door, passthrough }, rule, now);
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
  if (principal.passthrough !== undefined && !stillPassthrough(principal.passthrough, snapshot)) return false;
  if (principal.kind === "development") return true;
  if (principal.access !== undefined) return stillStanding(principal, snapshot, now);
  if (principal.expires_at !== undefined && principal.expires_at <= now) return false;
  if (guestOf(principal) !== undefined) return principal.passthrough !== undefined;
  const live = snapshot.tokensById.get(principal.token_id ?? "");
  if (live === undefined || live.expires_at <= now) return false;
  return principal.kind !== "client" || snapshot.clients.get(principal.agent)?.enabled === true;
}
