/** The end of connections: revoked at their providers, then destroyed. */
import { limits } from "../limits.ts";
import { ok, type Result } from "../ports.ts";
import { currentSnapshot } from "../tenant/index.ts";
import { connectionEndings, type EndingConnection, type Tokens } from "../vault/index.ts";
import { recordConnection } from "./events.ts";
import { idpParty } from "./idp.ts";
import { knownParty, revoke } from "./oauth/index.ts";
import type { Base, Party, TokenFailure } from "./types.ts";

/** A `Visit` is one; the timer has no more than this. */
export type EndingsBase = Pick<Base, "platform" | "vault" | "fetch" | "recorder">;

/**
 * Goes over the connections of a tenant that were unlinked, or whose person was disabled, and that are due: tells their providers and
 * destroys them. What a provider does not take is tried again after `limits.revocationRetry_ms`, and is destroyed all the same after
 * `limits.revocationTries_count` tries. Run behind the answer that ended one, and by the timer.
 * @see RFC 7009; security cases UP-21, VT-15
 */
export async function endings(given: EndingsBase, tenant: string): Promise<void> {
  const { platform } = given;
  const rows = connectionEndings({ platform, vault: given.vault, tenant: { id: tenant } });
  const snapshot = await currentSnapshot(platform, tenant);
  // They are used no more; their providers are told once their tokens may be opened again.
  if (snapshot.ok && snapshot.value.settings.vault_sealed) return;
  const due = await rows.take(platform.ports.clock.now());
  // They are tried again; what is at its last try goes without.
  const base = snapshot.ok ? baseOf(given, tenant, snapshot.value) : undefined;
  for (const row of due) {
    const reason = base === undefined ? "snapshot_unavailable" : await revoked(base, row);
    const isLast = row.tries >= limits.revocationTries_count;
    if (reason !== undefined && !isLast) continue;
    if (!(await rows.remove(row))) continue;
    const recorder = { ...given, tenant: { id: tenant } };
    if (reason !== undefined) await record(recorder, row, "connection.revoke_failed", reason);
    else if (row.revocation_endpoint !== null) await record(recorder, row, "connection.revoke");
  }
}

type Recording = Parameters<typeof recordConnection>[0];

function record(
  base: Recording,
  row: EndingConnection,
  action: "connection.revoke" | "connection.revoke_failed",
  reason?: string,
): Promise<void> {
  const outcome = action === "connection.revoke" ? "ok" : "refused";
  return recordConnection(base, row, { action, outcome, ...(reason === undefined ? {} : { reason }) });
}

/** The timer comes from nowhere, and its tenant answers at the first of its hosts. */
function baseOf(given: EndingsBase, tenant: string, snapshot: Base["snapshot"]): Base {
  const { hosts } = given.platform.configuration;
  const [host = ""] = [...hosts].flatMap(([name, id]) => (id === tenant ? [name] : []));
  return { ...given, snapshot, tenant: { id: tenant, origin: `https://${host}` }, source: { network: "" } };
}

/** @returns undefined when nothing of it lives any more, else why not: stable */
async function revoked(base: Base, row: EndingConnection): Promise<string | undefined> {
  // A key that somebody pasted has nobody to be told, and many providers take no revocation.
  if (row.revocation_endpoint === null) return undefined;
  const opened = await row.open();
  if (!opened.ok) return opened.error.reason ?? opened.error.code;
  if (opened.value.kind !== "tokens") return undefined;
  const party = await partyOf(base, row, row.revocation_endpoint);
  return party.ok ? revokeBoth(base, party.value, opened.value) : party.error.reason;
}

/** One after the other, and the second also where the first failed: many providers end the whole grant with either. */
async function revokeBoth(
  base: Base,
  party: Party,
  { refresh_token, access_token }: Tokens,
): Promise<string | undefined> {
  const first = refresh_token === undefined || (await revoke(base, party, refresh_token, "refresh_token"));
  const second = await revoke(base, party, access_token, "access_token");
  return first && second ? undefined : "revocation_refused";
}

async function partyOf(
  base: Base,
  row: EndingConnection,
  revocation_endpoint: string,
): Promise<Result<Party, TokenFailure>> {
  const party = await knownAt(base, row);
  // Tokens go to where they came from, whatever the configuration says today.
  return party.ok ? ok({ ...party.value, revocation_endpoint }) : party;
}

async function knownAt(base: Base, row: EndingConnection): Promise<Result<Party, TokenFailure>> {
  if (row.target === "idp") return idpParty(base, row);
  const server = [...base.snapshot.servers.values()].find(({ id }) => id === row.target);
  if (server !== undefined) return knownParty(base, server, row, "revoke");
  return ok(publicParty(row));
}

/** With its server the secret of our client is gone; RFC 7009 section 2.1 lets a client without one revoke what it was given. */
function publicParty({ issuer, token_endpoint, client_id }: EndingConnection): Party {
  return {
    ...{ issuer, token_endpoint, client_id, client_authentication: "none", secret: {} },
    ...{ names_issuer: false, resource: null, how: "configured" },
  };
}
