/** What redeeming a code and rotating a refresh token have in common: what they check, and how they end. */
import { openDatabase } from "../../db/index.ts";
import { authEvent, type Visit } from "../../login/index.ts";
import { limits } from "../../limits.ts";
import { err, ok, type Result } from "../../ports.ts";
import { countAttempt, type AttemptRule } from "../../trust/index.ts";
import { noteAgent } from "../agents/index.ts";
import { oauthError, type OAuthError } from "../oauth-error.ts";
import { mintAccessToken } from "../tokens/mint.ts";
import type { OAuthClient, TokenAnswer, TokenSubject } from "../types.ts";
import { grantEnd, grantsRepository, type StoredGrant } from "./grant-rows.ts";
import type { Grant } from "./grant-object.ts";
import { askGrant } from "./object-of.ts";
import { revokeGrants } from "./revoke-grants.ts";
import { openGrantHandle, type HandleContent, type HandleKind } from "./handles.ts";
import { checkStanding, readGrant, type GrantRecord, type GrantRefusal } from "./standing.ts";

const actions = { code: "token.issue", refresh: "token.refresh" } as const satisfies Record<HandleKind, string>;

/** One attempt to turn a code or a refresh token into an access token. */
export interface Presentation {
  readonly visit: Visit;
  readonly client: OAuthClient;
  readonly kind: HandleKind;
  readonly handle: HandleContent;
  readonly record: GrantRecord;
  /** Milliseconds since the Unix epoch, from before the grant was read: what is revoked since then voids the token. */
  readonly began_at: number;
}

/** The same for a forged, foreign, used, expired and revoked one. */
export const invalidGrant = (reason: string): OAuthError =>
  oauthError("invalid_grant", "The code or refresh token is not valid", reason);

export const unavailable = (reason: string): OAuthError =>
  oauthError("temporarily_unavailable", "Try again in a moment", reason, { "retry-after": "1" });

/** Opens what is presented and reads its grant. A handle that is not this client's tells nothing and changes nothing. */
export async function present(
  visit: Visit,
  client: OAuthClient,
  kind: HandleKind,
  text: string | null,
): Promise<Result<Presentation, OAuthError>> {
  const name = kind === "code" ? "code" : "refresh_token";
  if (text === null) return err(oauthError("invalid_request", `${name} is missing`, "parameter_missing"));
  const opened = await openGrantHandle(visit, kind, text);
  if (!opened.ok) return err(await refuseUnknown(visit, client, opened.error));
  const began_at = visit.platform.ports.clock.now();
  const record = await readGrant(visit, opened.value.grant);
  if (record === undefined) return err(await refuseUnknown(visit, client, "grant_unknown"));
  const presentation = { visit, client, kind, handle: opened.value, record, began_at };
  return record.grant.client_id === client.id ? ok(presentation) : err(await refused(presentation, "wrong_client"));
}

const guesses: AttemptRule = {
  purpose: "grant_guess",
  count_max: limits.clientFailures_count,
  window_ms: limits.clientFailures_ms,
};

/** What opens no grant cannot be guessed right; who tries it over and over is told to stop. */
async function refuseUnknown(visit: Visit, client: OAuthClient, reason: string): Promise<OAuthError> {
  const { platform, tenant, source } = visit;
  visit.countUnknown(reason);
  const who = JSON.stringify([client.id, source.network]);
  const now = platform.ports.clock.now();
  if (await countAttempt(openDatabase(platform.bindings.DB), tenant.id, guesses, who, now)) return invalidGrant(reason);
  const headers = { "retry-after": String(limits.clientFailures_ms / 1000) };
  return oauthError("slow_down", "Too many wrong codes or refresh tokens: try again later", "grant_guess", headers);
}

/** @see RFC 8707 section 2.2: a token is for the resource of its grant and no other */
export function checkResource({ record }: Presentation, parameters: URLSearchParams): OAuthError | undefined {
  const resource = parameters.get("resource");
  if (resource === null || resource === record.grant.resource) return undefined;
  return oauthError("invalid_target", "The resource is not the one that was granted", "resource_not_granted");
}

/** Everything that the grant rests on. The policy decides here whether the client gets a token at all. */
export async function checkGrant(presentation: Presentation): Promise<Result<TokenSubject, OAuthError>> {
  const { visit, client, record, began_at } = presentation;
  const standing = await checkStanding(visit, client, record, began_at);
  return standing.ok ? standing : err(await refusedBy(presentation, standing.error));
}

async function refusedBy(presentation: Presentation, reason: GrantRefusal): Promise<OAuthError> {
  const invalid = await refused(presentation, reason);
  if (reason !== "policy_no_server") return invalid;
  return oauthError("access_denied", "There is no server that this person may use through this client", reason);
}

/** A refusal that names a grant is an event. @returns `invalid_grant` */
export async function refused(presentation: Presentation, reason: string): Promise<OAuthError> {
  await recordUse(presentation, "refused", reason);
  return invalidGrant(reason);
}

/**
 * Whatever can fail, before the object moves: notes the use, records it, and signs. Where the move is refused after all, because another
 * presentation came between, the token goes nowhere and a second event says so.
 * @param reason of what is worth noting although it is right
 */
export async function prepare(
  presentation: Presentation,
  subject: TokenSubject,
  reason?: string,
): Promise<Result<TokenAnswer, OAuthError>> {
  const { visit, record, began_at } = presentation;
  const { platform, tenant } = visit;
  const rows = grantsRepository(openDatabase(platform.bindings.DB), tenant.id);
  const isTouched = await rows.touch(record.grant.id, began_at, grantEnd(record.grant.created_at, began_at));
  if (!isTouched) return err(await refused(presentation, "grant_revoked"));
  const answer = await mintAccessToken(visit, subject, began_at);
  if (!(await recordUse(presentation, "ok", reason))) return err(unavailable("audit_unavailable"));
  platform.waitUntil(noteAgent(visit, { client: presentation.client }));
  return ok(answer);
}

/** Asks the object, and once more where it did not answer: it knows a move by its nonce, and makes it once. */
export async function moveGrant<T>(
  { visit, record }: Presentation,
  ask: (grant: DurableObjectStub<Grant>) => Promise<T>,
): Promise<Result<T, OAuthError>> {
  const once = () => askGrant(visit.platform, visit.tenant.id, record.grant.id, ask);
  const first = await once();
  const asked = first.ok ? first : await once();
  return asked.ok ? asked : err(unavailable(asked.error));
}

/** The outcomes of the object that end the grant, and why. `ended` says that a revocation before was not carried through. */
const endings: Readonly<Record<string, string>> = {
  replayed: "code_replay",
  wrong_verifier: "code_wrong_verifier",
  reused: "refresh_reuse",
  ended: "grant_ended",
};

/** What the object refused. Its grant is revoked where the object has ended it: D1 is what people see and what voids its tokens. */
export async function refuseOutcome(presentation: Presentation, outcome: string): Promise<OAuthError> {
  const { visit, kind, record } = presentation;
  const ending = endings[outcome];
  if (ending !== undefined) await revokeGrants(visit, { id: record.grant.id }, ending);
  return refused(presentation, `${kind}_${outcome === "reused" ? "reuse" : outcome}`);
}

async function recordUse(
  { visit, client, kind, record }: Presentation,
  outcome: "ok" | "refused",
  reason: string | undefined,
): Promise<boolean> {
  const { grant, owner } = record;
  // What a client presents that is not its own is its doing, not the person's.
  const isOwn = grant.client_id === client.id;
  const { id, resource }: StoredGrant = grant;
  const event = authEvent(visit, {
    ...{ action: actions[kind], outcome, reason, grant: id, resource },
    ...(isOwn ? { user: owner } : {}),
    agent: client.id,
    client_name: client.name,
  });
  return (await visit.recorder.record(event)).ok;
}
