/** From a token of Gatehouse to the principal, on one snapshot and without storage. */
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import { sha256 } from "../sha256.ts";
import type { Snapshot, Token } from "../tenant/index.ts";
import { admitAccessToken, isAccessToken, type Door } from "./access-token.ts";
import { readPresented } from "./bearer.ts";
import type { Principal } from "./principal.ts";

export const unauthenticated = failure("unauthenticated", undefined, { reason: "no_credential" });
export const refused = (reason: string): Failure => failure("invalid_token", undefined, { reason });

/** A machine client by its token, or whoever an access token of ours names. Administrators' tokens are not for calls. */
export async function admitKnown(
  snapshot: Snapshot,
  headers: Headers,
  door: Door,
  now: number,
): Promise<Result<Principal, Failure>> {
  const presented = readPresented(headers);
  if (!presented.ok) return presented;
  if (presented.value === undefined) return err(unauthenticated);
  if (isAccessToken(presented.value)) return admitAccessToken(snapshot, door, presented.value, now);
  const known = await knownToken(snapshot, presented.value, now);
  if (!known.ok) return known;
  const token = known.value;
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

export async function knownToken(snapshot: Snapshot, bearer: string, now: number): Promise<Result<Token, Failure>> {
  const token = snapshot.tokens.get(await sha256(bearer));
  if (token === undefined) return err(refused("unknown_token"));
  // Also for a token of the snapshot: it may expire while the snapshot lives.
  return token.expires_at <= now ? err(refused("token_expired")) : ok(token);
}
