/** The end of a grant by assertion: one event, and the token or the refusal. */
import { authEvent, type AuthAct, type Visit } from "../../login/index.ts";
import { err, ok, type Result } from "../../ports.ts";
import { noteAgent } from "../agents/index.ts";
import { oauthError, type OAuthError } from "../oauth-error.ts";
import { mintAccessToken } from "../tokens/mint.ts";
import type { OAuthClient, TokenAnswer, TokenSubject } from "../types.ts";

/** What a token that was issued or refused is about, as far as it is known. */
export type About = Pick<AuthAct, "user" | "resource" | "provider">;

/**
 * A token without refresh token: the next one costs another assertion. It leaves the house only when its event is durable.
 * @param issued_at before anything was read that the token rests on
 */
export async function issueToken(
  visit: Visit,
  client: OAuthClient,
  subject: TokenSubject,
  issued_at: number,
  provider?: string,
): Promise<Result<TokenAnswer, OAuthError>> {
  const answer = await mintAccessToken(visit, subject, issued_at);
  const { user, resource } = subject;
  const recorded = await visit.recorder.record(
    authEvent(visit, {
      action: "token.issue",
      outcome: "ok",
      agent: client.id,
      client_name: client.name,
      user,
      resource,
      provider,
    }),
  );
  if (!recorded.ok) return err(unrecorded);
  await noteAgent(visit, { client, user_id: user?.id });
  return ok(answer);
}

const unrecorded = oauthError(
  "temporarily_unavailable",
  "The token could not be recorded, so it was not issued",
  "audit_unavailable",
  { "retry-after": "10" },
);

/** The refusal of a client that proved who it is. It stands, whether its event could be kept or not; the recorder logs the latter. */
export async function refuseToken(
  visit: Visit,
  client: OAuthClient,
  error: OAuthError,
  about: About = {},
): Promise<Result<never, OAuthError>> {
  const { id: agent, name: client_name } = client;
  const { reason } = error;
  await visit.recorder.record(
    authEvent(visit, { action: "token.refuse", outcome: "refused", reason, agent, client_name, ...about }),
  );
  return err(error);
}

/** The refusal of somebody who proved nothing: counted, so that nobody floods the log. */
export function refuseUnknown(visit: Visit, error: OAuthError): Result<never, OAuthError> {
  visit.countUnknown(error.reason);
  return err(error);
}

/** A public client is whoever says so. */
export const isProven = ({ authentication }: OAuthClient): boolean => authentication !== "none";

/** For a client that an administrator registered for other grants. @see RFC 6749 section 5.2 */
export const notRegistered = oauthError(
  "unauthorized_client",
  "The client is not registered for this grant type",
  "grant_type_not_registered",
);

/** One text for every defect of an assertion: what is wrong with it is for the log. */
export const invalidGrant = (reason: string): OAuthError =>
  oauthError("invalid_grant", "The assertion is not valid here", reason);

export const issuerUnavailable = (reason: string): OAuthError =>
  oauthError("temporarily_unavailable", "The issuer of the assertion cannot be reached now: try again", reason, {
    "retry-after": "10",
  });
