/**
 * The authorization code grant.
 * @see RFC 6749 section 4.1.3, RFC 7636 section 4.6
 */
import type { Visit } from "../../login/index.ts";
import { err, ok, type Result } from "../../ports.ts";
import { sha256 } from "../../sha256.ts";
import { oauthError, type OAuthError } from "../oauth-error.ts";
import type { OAuthClient, TokenAnswer } from "../types.ts";
import {
  checkGrant,
  checkResource,
  invalidGrant,
  moveGrant,
  prepare,
  present,
  refuseOutcome,
  refused,
} from "./answer-grant.ts";
import type { Move } from "./grant-object.ts";
import { grantEnd } from "./grant-rows.ts";
import { firstGeneration } from "./grant-state.ts";
import { makeNonce, sealGrantHandle } from "./handles.ts";
import { limits } from "../../limits.ts";

const verifierForm = /^[A-Za-z0-9\-._~]{43,128}$/;

/** Nothing that fails before the object is asked changes anything: the right client may still redeem the code. */
export async function redeemCode(
  visit: Visit,
  client: OAuthClient,
  parameters: URLSearchParams,
): Promise<Result<TokenAnswer, OAuthError>> {
  const verifier = parameters.get("code_verifier");
  if (verifier === null) return err(invalidGrant("verifier_missing"));
  if (!verifierForm.test(verifier)) {
    return err(oauthError("invalid_request", "code_verifier must be 43 to 128 characters", "verifier_malformed"));
  }
  const presented = await present(visit, client, "code", parameters.get("code"));
  if (!presented.ok) return presented;
  const { record, handle, began_at } = presented.value;
  const { grant } = record;
  const foreign = checkResource(presented.value, parameters);
  if (foreign !== undefined) return err(foreign);
  const redirect_uri = parameters.get("redirect_uri");
  if (redirect_uri !== null && redirect_uri !== grant.redirect_uri) {
    return err(await refused(presented.value, "wrong_redirect_uri"));
  }
  const checked = await checkGrant(presented.value);
  if (!checked.ok) return checked;
  const refresh_nonce = client.grant_types.has("refresh_token") ? makeNonce(visit) : null;
  const code_challenge = await sha256(verifier);
  const ends_at = grantEnd(grant.created_at, began_at);
  const redemption = { code_nonce: handle.nonce, code_challenge, refresh_nonce, ends_at };
  const redeem = (move: Move) => moveGrant(presented.value, (object) => object.redeem(redemption, began_at, move));
  const foreseen = await redeem("foresee");
  if (!foreseen.ok) return foreseen;
  if (foreseen.value !== "redeemed") return err(await refuseOutcome(presented.value, foreseen.value));
  const prepared = await prepare(presented.value, checked.value);
  if (!prepared.ok) return prepared;
  const first = { grant: grant.id, generation: firstGeneration, nonce: refresh_nonce ?? "" };
  const refresh_token = await sealGrantHandle(visit, "refresh", first, grant.created_at + limits.grantLife_ms);
  const taken = await redeem("take");
  if (!taken.ok) return taken;
  if (taken.value !== "redeemed") return err(await refuseOutcome(presented.value, taken.value));
  return refresh_nonce === null ? prepared : ok({ ...prepared.value, refresh_token });
}
