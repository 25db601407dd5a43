/**
 * The refresh token grant, with rotation: each refresh token works once. The direct predecessor gets the same successor again for a
 * moment, since the answer may have been lost; anything older was stolen, and ends the grant.
 * @see RFC 6749 section 6, RFC 9700 section 4.14.2
 */
import { limits } from "../../limits.ts";
import type { Visit } from "../../login/index.ts";
import { err, ok, type Result } from "../../ports.ts";
import { refreshSuccessorBinding } from "../../vault/index.ts";
import { oauthError, type OAuthError } from "../oauth-error.ts";
import type { OAuthClient, TokenAnswer, TokenSubject } from "../types.ts";
import {
  checkGrant,
  checkResource,
  moveGrant,
  prepare,
  present,
  refuseOutcome,
  unavailable,
  type Presentation,
} from "./answer-grant.ts";
import type { Move } from "./grant-object.ts";
import { grantEnd } from "./grant-rows.ts";
import type { Rotated } from "./grant-state.ts";
import { makeNonce, sealGrantHandle } from "./handles.ts";

/** Nothing that fails before the object is asked changes anything. */
export async function refreshGrant(
  visit: Visit,
  client: OAuthClient,
  parameters: URLSearchParams,
): Promise<Result<TokenAnswer, OAuthError>> {
  const presented = await present(visit, client, "refresh", parameters.get("refresh_token"));
  if (!presented.ok) return presented;
  const foreign = checkResource(presented.value, parameters);
  if (foreign !== undefined) return err(foreign);
  const scope = narrowed(presented.value.record.grant.scope, parameters.get("scope"));
  if (!scope.ok) return scope;
  const checked = await checkGrant(presented.value);
  if (!checked.ok) return checked;
  const subject = { ...checked.value, scope: scope.value };
  return rotate(presented.value, subject);
}

/** A refresh may ask for less than was granted, for this one token. */
function narrowed(granted: string, asked: string | null): Result<string, OAuthError> {
  if (asked === null) return ok(granted);
  const names = new Set(granted.split(" "));
  const wanted = asked.split(" ");
  if (wanted.every((name) => names.has(name))) return ok([...new Set(wanted)].join(" "));
  return err(oauthError("invalid_scope", "The scope is wider than the one that was granted", "scope_not_granted"));
}

/** The successor is made before it is known whether it is needed: the object that decides cannot seal. */
async function rotate(presentation: Presentation, subject: TokenSubject): Promise<Result<TokenAnswer, OAuthError>> {
  const { visit, record, handle, began_at } = presentation;
  const { tenant, vault } = visit;
  const { id, created_at } = record.grant;
  const generation = handle.generation + 1;
  const nonce = makeNonce(visit);
  const successor = { grant: id, generation, nonce };
  const refresh_token = await sealGrantHandle(visit, "refresh", successor, created_at + limits.grantLife_ms);
  const binding = refreshSuccessorBinding(tenant.id, id, generation);
  const rotation = {
    generation: handle.generation,
    nonce: handle.nonce,
    successor: { nonce, sealed: await vault.seal(binding, refresh_token) },
    ends_at: grantEnd(created_at, began_at),
  };
  const move = (step: Move) =>
    moveGrant(presentation, async (object): Promise<Rotated> => {
      const answer = await object.rotate(rotation, began_at, step);
      return answer;
    });
  const given = async (rotated: Rotated): Promise<Result<string, OAuthError>> => {
    if (rotated.kind === "rotated") return ok(refresh_token);
    if (rotated.kind !== "repeated") return err(await refuseOutcome(presentation, rotated.kind));
    const opened = await vault.open(binding, rotated.sealed);
    return opened.ok ? opened : err(unavailable(opened.error.reason ?? "refresh_successor"));
  };

  const foreseen = await move("foresee");
  if (!foreseen.ok) return foreseen;
  const expected = await given(foreseen.value);
  if (!expected.ok) return expected;
  const isRetry = foreseen.value.kind === "repeated";
  const prepared = await prepare(presentation, subject, isRetry ? "refresh_retry" : undefined);
  if (!prepared.ok) return prepared;
  if (isRetry) return ok({ ...prepared.value, refresh_token: expected.value });
  const taken = await move("take");
  const next = taken.ok ? await given(taken.value) : taken;
  return next.ok ? ok({ ...prepared.value, refresh_token: next.value }) : next;
}
