/** From a verified access token to the principal, on the same snapshot and without storage. */
import { failure, type Failure } from "../errors.ts";
import {
  isStanding,
  isTakenClient,
  requiredScope,
  verifyAccessToken,
  type AccessClaims,
  type TokenRefusal,
} from "../oauth/index.ts";
import { err, ok, type Result } from "../ports.ts";
import { sha256 } from "../sha256.ts";
import type { Snapshot } from "../tenant/index.ts";
import type { Principal } from "./principal.ts";

/** The endpoint that a token is presented to. */
export interface Door {
  /** The tenant's origin, which is the issuer. */
  readonly origin: string;
  /** `/mcp` or `/mcp/{slug}`. */
  readonly path: string;
  /**
   * A snapshot that was compared with the Tenant object now, for a token under a key that this isolate does not know yet. Undefined
   * when there is none to be had, or when it was asked for too often.
   */
  renew(): Promise<Snapshot | undefined>;
}

/** A principal is computed once for each token that is remembered as verified. */
const principals = new WeakMap<AccessClaims, Principal>();

const refused = (reason: TokenRefusal | "client_disabled"): Failure => failure("invalid_token", undefined, { reason });

/** RFC 6750 section 3.1: the token is good, but not for this. */
const insufficientScope = failure("forbidden", "The token does not have the scope that this needs", {
  reason: "insufficient_scope",
});

/** An opaque token of ours has no dot, a JWS has two. */
export const isAccessToken = (bearer: string): boolean => bearer.split(".", 3).length === 3;

export async function admitAccessToken(
  snapshot: Snapshot,
  door: Door,
  token: string,
  now: number,
): Promise<Result<Principal, Failure>> {
  const resource = `${door.origin}${door.path}`;
  let verified = await verifyAccessToken(snapshot, door.origin, resource, token, now);
  let current = snapshot;
  if (!verified.ok && verified.error === "token_key_unknown") {
    const renewed = await door.renew();
    if (renewed === undefined) return err(refused(verified.error));
    current = renewed;
    verified = await verifyAccessToken(current, door.origin, resource, token, now);
  }
  if (!verified.ok) return err(refused(verified.error));
  const claims = verified.value;
  const { client_id, user } = claims;
  if (!isClientEnabled(current, client_id, claims.registered || user === undefined))
    return err(refused("client_disabled"));
  if (!claims.scope.has(requiredScope)) return err(insufficientScope);
  return ok(principals.get(claims) ?? (await principalOf(claims)));
}

/**
 * Whether the token behind a running call or stream has not been ended since. That it expires meanwhile ends nothing: its client
 * could have another one by now, and what was granted stands.
 */
export function stillStanding(principal: Principal, snapshot: Snapshot, now: number): boolean {
  const { access, agent, user } = principal;
  if (access === undefined) return false;
  const { kid, issued_at, grant_id, registered } = access;
  if (!isClientEnabled(snapshot, agent, registered || user === undefined)) return false;
  return isStanding(snapshot, { kid, issued_at, grant_id, client_id: agent, user_id: user?.id }, now);
}

/**
 * A client that registered itself is in no snapshot: its tokens are voided when it is switched off. One that is known by its document
 * is a client for as long as the tenant takes documents of its host.
 */
function isClientEnabled(snapshot: Snapshot, client_id: string, registered: boolean): boolean {
  return snapshot.clients.get(client_id)?.enabled ?? (!registered && isTakenClient(snapshot.settings, client_id));
}

async function principalOf(claims: AccessClaims): Promise<Principal> {
  const { client_id, user, grant_id, issued_at, kid, registered } = claims;
  const access = { issued_at, kid, registered, ...(grant_id === undefined ? {} : { grant_id }) };
  const principal: Principal =
    user === undefined
      ? { id: `client:${client_id}`, kind: "client", agent: client_id, access }
      : {
          id: `user:${user.id}:${(await sha256(client_id)).slice(0, 22)}`,
          kind: "user",
          agent: client_id,
          user: {
            id: user.id,
            ...(user.email === undefined ? {} : { email: user.email }),
            email_verified: user.email_verified,
            groups: user.groups,
            chosen: user.servers,
          },
          access,
        };
  principals.set(claims, principal);
  return principal;
}
