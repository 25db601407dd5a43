/** A caller of a passthrough server by a JWT that somebody else signed, as the server's administrator requires it. */
import { BoundedMap } from "../bounded-map.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import type { AgentAuthentication } from "../registry/index.ts";
import { sha256 } from "../sha256.ts";
import { verifyForeignJwt, type ForeignClaims, type Inquirer, type JwtFailure } from "../trust/index.ts";
import { bearerToken } from "./bearer.ts";
import { foreignChallenge } from "./challenge.ts";

export type JwtRule = NonNullable<Extract<AgentAuthentication, { type: "passthrough" }>["jwt"]>;

export interface ForeignCaller {
  /** Of issuer and subject; of the token itself where it has no subject, since two of them may be two people. */
  readonly hash: string;
  readonly subject: string | undefined;
  /** Milliseconds since the Unix epoch, clock skew included. */
  readonly expires_at: number;
}

interface Verified extends ForeignCaller {
  readonly verified_at: number;
}

/** By a hash of tenant, rule and token: nothing that could be presented is kept. */
const verified = new BoundedMap<Verified>(limits.callersVerified_count);

/** An ID token, or one of RFC 9068; what says it is something else, a logout token for instance, is none to call with. */
const types = ["jwt", "at+jwt", undefined];

const refused = (reason: string, error?: "invalid_token"): Failure =>
  failure("invalid_token", undefined, { reason, headers: foreignChallenge(error) });

/** The rule cannot be applied, so nobody passes: the keys could not be had, or are no good. */
const isOfKeys = ({ reason, transient }: JwtFailure): boolean => transient || /^(?:document|key_set)/.test(reason);

/**
 * @param authorization as it came
 * @returns `invalid_token` with a challenge that does not name our authorization server, whatever is wrong with the token;
 *   `unavailable` when the keys cannot be had
 * @see RFC 6750 section 3.1, RFC 8725 section 3
 */
export async function admitForeignCaller(
  inquirer: Inquirer,
  rule: JwtRule,
  authorization: string | null,
): Promise<Result<ForeignCaller, Failure>> {
  if (authorization === null) return err(refused("jwt_missing"));
  const token = bearerToken(authorization);
  if (token === undefined) return err(refused("jwt_malformed", "invalid_token"));
  const now = inquirer.platform.ports.clock.now();
  const name = await sha256(JSON.stringify([inquirer.tenant.id, rule, token]));
  const known = verified.get(name);
  if (known !== undefined && isFresh(known, now)) return ok(known);
  const claims = await verify(inquirer, rule, token);
  if (!claims.ok) {
    const { reason } = claims.error;
    return err(
      isOfKeys(claims.error) ? failure("unavailable", undefined, { reason }) : refused(reason, "invalid_token"),
    );
  }
  const { iss, sub, exp } = claims.value;
  const caller: Verified = {
    hash: (await sha256(JSON.stringify([iss, sub ?? null, ...(sub === undefined ? [token] : [])]))).slice(0, 22),
    subject: sub,
    expires_at: exp * 1000 + limits.clockSkew_ms,
    verified_at: now,
  };
  verified.set(name, caller);
  return ok(caller);
}

const isFresh = ({ verified_at, expires_at }: Verified, now: number): boolean =>
  now >= verified_at && now - verified_at < limits.callerVerified_ms && now <= expires_at;

/** What the rule leaves open is not compared, and need not be there. */
function verify(
  inquirer: Inquirer,
  { jwks_url, jwks, issuer, audience }: JwtRule,
  token: string,
): Promise<Result<ForeignClaims, JwtFailure>> {
  const keys = jwks === undefined ? { jwks_uri: jwks_url ?? "" } : { jwks };
  return verifyForeignJwt(inquirer, token, { keys, typ: types, issuer, audience });
}
