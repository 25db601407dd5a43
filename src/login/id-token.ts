/** The ID token: its signature, its times, and that it is for us and for nothing else. */
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { verifyForeignJwt } from "../trust/index.ts";
import type { ProviderMetadata } from "./discovery.ts";
import type { SignInFailure } from "./failures.ts";
import type { VerifiedClaims } from "./identity.ts";
import type { StoredProvider } from "./providers.ts";
import type { Pending } from "./sign-ins.ts";
import type { Visit } from "./visit.ts";

export interface IdToken {
  readonly subject: string;
  readonly claims: VerifiedClaims;
  /**
   * When the person proved who they are, as far as it is known: what the provider tells; or else the begin of this sign-in, if it was
   * asked to let them prove it; or else 0, since it may have answered without asking anybody. Milliseconds since the Unix epoch.
   */
  readonly authenticated_at: number;
  /** `sid`, by which the provider may end the session later. */
  readonly provider_session: string | null;
}

/** What a sign-in asked for of the proof. */
type Proof = "authenticated_after" | "needs_auth_time" | "prompted" | "begun_at";

const sessionId = /^[\x20-\x7e]{1,255}$/;

/**
 * @param text as the token endpoint gave it
 * @see OpenID Connect Core 1.0 section 3.1.3.7
 */
export async function verifyIdToken(
  visit: Visit,
  provider: StoredProvider,
  metadata: ProviderMetadata,
  text: string,
  pending: Pick<Pending, "nonce" | Proof>,
): Promise<Result<IdToken, SignInFailure>> {
  const verified = await verifyForeignJwt(visit, text, {
    issuer: provider.issuer,
    audience: provider.client_id,
    keys: { jwks_uri: metadata.jwks_uri },
    algorithms: metadata.algorithms,
    requires: ["sub", "iat", "nonce"],
  });
  if (!verified.ok) {
    const fields = { tenant: visit.tenant.id, provider: provider.id, reason: verified.error.reason };
    visit.platform.log("warn", "An ID token was refused", fields);
    return err(verified.error.transient ? "provider_unreachable" : "id_token_invalid");
  }
  const { sub, aud, iat, all } = verified.value;
  if (all["nonce"] !== pending.nonce) return err("nonce_mismatch");
  const party = all["azp"];
  if (party === undefined ? aud.length > 1 : party !== provider.client_id) return err("id_token_invalid");
  const now = visit.platform.ports.clock.now();
  if (sub === undefined || iat === undefined) return err("id_token_invalid");
  if (iat * 1000 < now - limits.signIn_ms - limits.clockSkew_ms) return err("id_token_invalid");
  const authenticated_at = authenticatedAt(all["auth_time"], pending);
  if (authenticated_at === undefined) return err("authentication_too_old");
  const sid = all["sid"];
  return ok({
    subject: sub,
    claims: all,
    authenticated_at: Math.min(authenticated_at, now),
    provider_session: typeof sid === "string" && sessionId.test(sid) ? sid : null,
  });
}

/** @returns undefined when the person did not sign in as lately as was asked for, or the provider does not tell though it must */
function authenticatedAt(
  auth_time: unknown,
  { authenticated_after: after, needs_auth_time, prompted, begun_at }: Pick<Pending, Proof>,
): number | undefined {
  if (auth_time === undefined) return needs_auth_time ? undefined : prompted ? begun_at : 0;
  if (typeof auth_time !== "number" || !Number.isFinite(auth_time) || auth_time < 0) return undefined;
  const at = Math.floor(auth_time * 1000);
  return after !== undefined && at < after - limits.clockSkew_ms ? undefined : at;
}
