/** What a row holds and whether it will do: the judgement before a renewal, and again under its lease. */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import type { ConnectionKey, SealedConnection, StoredConnection } from "../vault/index.ts";
import { recordConnection } from "./events.ts";
import { isGivenTo } from "./fit.ts";
import { refusedReason, registrationGone, remark } from "./remarks.ts";
import type { LiveCredential } from "./types.ts";
import type { How, Work } from "./work.ts";

export interface Holding {
  /** Undefined: nothing that could be used or renewed, and the renewal makes it. */
  readonly held: StoredConnection | undefined;
  readonly want: "nothing" | "renewal" | "forced";
}

/** Public text says what to do; the reason is for log and event. */
export const linkNeeded = ({ account }: ConnectionKey, reason: string): Failure =>
  failure("link_needed", undefined, { reason, data: { account } });

export const noToken = (reason: string): Failure => failure("upstream_credential", undefined, { reason });

/** There is no token that would do, and no renewal just now. A new link helps only where it makes a new registration. */
export const notRenewed = ({ key, how }: Work, held: StoredConnection | undefined, reason: string): Failure =>
  reason === registrationGone && held !== undefined && how.creates !== true ? linkNeeded(key, reason) : noToken(reason);

/** Reasons that stay visible to whoever decides what to tell the person. */
const kept = new Set(["rolled_back", "vault_tamper"]);

/** @param newest a row below it was put back by somebody */
export async function holdingOf(
  work: Work,
  row: SealedConnection | undefined,
  newest: number,
): Promise<Result<Holding, Failure>> {
  const { key, how, base } = work;
  const lacking = (reason: string): Result<Holding, Failure> =>
    how.creates === true ? ok({ held: undefined, want: "renewal" }) : err(linkNeeded(key, reason));
  if (row === undefined) return lacking("not_linked");
  if (row.state === "needs_reauth") {
    return lacking(row.reason !== null && kept.has(row.reason) ? row.reason : "needs_reauth");
  }
  if (row.revision < newest) return lacking(await tampered(work, row, "rolled_back"));
  if (!isFit(row.fit, how)) return lacking("needs_update");
  const opened = await work.store.open(row);
  if (!opened.ok) {
    // A key that left the ring may come back.
    if (opened.error.reason === "vault_key_unknown") return opened;
    return lacking(await tampered(work, row, "vault_tamper"));
  }
  const held: StoredConnection = { ...row, credential: opened.value };
  const now = base.platform.ports.clock.now();
  const isForced = isRejected(held, how);
  if (!isRenewable(held, how)) {
    if (isForced) return err(refused(work, held));
    return isOver(held, now) ? err(await dead(work, held, "token_expired")) : ok({ held, want: "nothing" });
  }
  return ok({ held, want: isForced ? "forced" : isDue(held, now) ? "renewal" : "nothing" });
}

/** Whether a credential was made for what it is to be used for. */
export const isFit = (made: string, { fit, goesTo }: Pick<How, "fit" | "goesTo">): boolean =>
  (fit === undefined || fit === made) && (goesTo === undefined || isGivenTo(made, goesTo));

/** Whether it is the one that the server refused, and not one that came after it. */
export function isRejected(
  { id, revision }: Pick<StoredConnection, "id" | "revision">,
  { rejected }: Pick<How, "rejected">,
): boolean {
  return rejected !== undefined && rejected.connection_id === id && rejected.revision >= revision;
}

/** The token has ended: nobody takes it any more. */
export function isOver({ credential }: StoredConnection, now: number): boolean {
  return credential.kind === "tokens" && credential.expires_at !== null && now >= credential.expires_at;
}

/** It ends soon. */
const isDue = (held: StoredConnection, now: number): boolean => now >= (renewalAt(held) ?? Number.POSITIVE_INFINITY);

/** Of a token that lives very shortly half its life must be left for use. @returns undefined for a key */
function renewalAt({ credential, updated_at }: StoredConnection): number | undefined {
  if (credential.kind !== "tokens") return undefined;
  if (credential.expires_at === null) return updated_at + limits.tokenLifeUnknown_ms;
  return credential.expires_at - Math.min(limits.renewAhead_ms, (credential.expires_at - updated_at) / 2);
}

/** Until when it may be used without another look: what can be renewed to its renewal, all else to its end. @returns undefined: it has none */
export function usableUntil(held: StoredConnection, how: How): number | undefined {
  if (isRenewable(held, how)) return renewalAt(held);
  const { credential } = held;
  return credential.kind === "tokens" ? (credential.expires_at ?? undefined) : undefined;
}

function isRenewable({ credential }: StoredConnection, { renew, creates }: How): boolean {
  if (renew === undefined) return false;
  return creates === true || (credential.kind === "tokens" && credential.refresh_token !== undefined);
}

/** The server takes neither this one nor one that was renewed a moment ago. The connection is kept: the next call tries it again. */
export function refused(work: Work, held: StoredConnection): Failure {
  if (work.how.rejectedHere !== true) remark(work, held, refusedReason);
  return linkNeeded(work.key, refusedReason);
}

/** Only a person can help. The event is written once, by whoever finds it out first. */
export async function dead({ base, store, key }: Work, held: StoredConnection, reason: string): Promise<Failure> {
  if (await store.breakOff(held, reason)) {
    await recordConnection(base, key, { action: "connection.dead", outcome: "refused", reason });
  }
  return linkNeeded(key, "needs_reauth");
}

async function tampered(
  { base, store, key }: Work,
  row: SealedConnection,
  reason: "rolled_back" | "vault_tamper",
): Promise<string> {
  if (await store.breakOff(row, reason)) {
    await recordConnection(base, key, { action: "vault.tamper", outcome: "refused", reason });
  }
  return reason;
}

export function liveOf({
  id,
  revision,
  reason,
  credential,
}: Pick<StoredConnection, "id" | "revision" | "reason" | "credential">): LiveCredential {
  const from = { connection_id: id, revision, ...(reason === refusedReason ? { wasRefused: true as const } : {}) };
  if (credential.kind === "secret") {
    const { kind, username, value } = credential;
    return { ...from, credential: { kind, value, ...(username === undefined ? {} : { username }) } };
  }
  const { kind, access_token, id_token } = credential;
  return { ...from, credential: { kind, access_token, ...(id_token === undefined ? {} : { id_token }) } };
}
