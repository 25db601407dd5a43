/**
 * Assertions are looked at before anybody proved anything, so whoever presents many that are not valid is held off: by network, and by
 * issuer where that is one of ours, so that a job that is set up wrongly stops no other.
 */
import { openDatabase } from "../../db/index.ts";
import { limits } from "../../limits.ts";
import type { Visit } from "../../login/index.ts";
import type { Result } from "../../ports.ts";
import { countAttempt, isHeldOff, type AttemptRule } from "../../trust/index.ts";
import { oauthError, type OAuthError } from "../oauth-error.ts";
import { refuseUnknown } from "./issue.ts";

const ofKnownIssuer: AttemptRule = {
  purpose: "assertion",
  count_max: limits.assertionFailures_count,
  window_ms: limits.assertionFailures_ms,
};

const ofUnknownIssuer: AttemptRule = {
  purpose: "assertion_issuer",
  count_max: limits.unknownIssuers_count,
  window_ms: limits.assertionFailures_ms,
};

/** Refusals that mean that nobody here trusts the issuer. */
const unknownIssuers: ReadonlySet<string> = new Set(["workload_issuer", "id_jag_issuer"]);

const tooManyFailures = oauthError(
  "slow_down",
  "Too many assertions from this network were not valid: try again later",
  "assertion_held_off",
  { "retry-after": String(limits.assertionFailures_ms / 1_000) },
);

/** Asked before anything is looked up. @param issuer unverified */
export async function heldOff(visit: Visit, issuer: string): Promise<OAuthError | undefined> {
  const { platform, tenant, source } = visit;
  const database = openDatabase(platform.bindings.DB);
  const now = platform.ports.clock.now();
  const held = await Promise.all([
    isHeldOff(database, tenant.id, ofUnknownIssuer, source.network, now),
    isHeldOff(database, tenant.id, ofKnownIssuer, whoOf(visit, issuer), now),
  ]);
  return held.includes(true) ? tooManyFailures : undefined;
}

/** The refusal of an assertion that nobody stands for: of parallel ones those past the maximum learn nothing. */
export async function refuseAssertion(
  visit: Visit,
  issuer: string,
  error: OAuthError,
): Promise<Result<never, OAuthError>> {
  if (error.error !== "invalid_grant") return refuseUnknown(visit, error);
  const { platform, tenant, source } = visit;
  const database = openDatabase(platform.bindings.DB);
  const now = platform.ports.clock.now();
  const isWithin = unknownIssuers.has(error.reason)
    ? await countAttempt(database, tenant.id, ofUnknownIssuer, source.network, now)
    : await countAttempt(database, tenant.id, ofKnownIssuer, whoOf(visit, issuer), now);
  return refuseUnknown(visit, isWithin ? error : tooManyFailures);
}

const whoOf = ({ source }: Visit, issuer: string): string => JSON.stringify([source.network, issuer]);
