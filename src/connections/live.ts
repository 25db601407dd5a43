/**
 * A credential that is good now: from memory, else from its row, renewed where it is about to end. One renewal of a connection runs at a
 * time over all isolates, and what it brings is stored before anybody uses it.
 * @see docs/decisions/0012-one-renewal-at-a-time.md
 */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import {
  askConnection,
  connectionStore,
  type Claimed,
  type ConnectionKey,
  type StoredConnection,
} from "../vault/index.ts";
import {
  holdingOf,
  isFit,
  isOver,
  isRejected,
  liveOf,
  noToken,
  notRenewed,
  refused,
  usableUntil,
  type Holding,
} from "./hold.ts";
import { forget, recall, remember } from "./memory.ts";
import { refusedReason } from "./remarks.ts";
import { renewAndSettle, type Lease, type Renewal } from "./renewal.ts";
import type { Base, LiveCredential } from "./types.ts";
import type { How, Work } from "./work.ts";

const lease_bytes = 12;

/**
 * @returns failures: `link_needed` where only a person can help (reason `not_linked`, `needs_reauth`, `needs_update`, `refused`,
 *   `registration_gone`, `rolled_back` or `vault_tamper`); `vault_sealed`; `upstream_credential` while the token is over and its provider cannot be asked,
 *   with the reason of that; `unavailable` while Gatehouse itself is not whole
 */
export async function liveCredential(
  base: Base,
  key: ConnectionKey,
  how: How,
): Promise<Result<LiveCredential, Failure>> {
  // Before any cache: whoever turns the switch wants nothing to be used any more.
  if (base.snapshot.settings.vault_sealed) return err(failure("vault_sealed", undefined, { reason: "vault_sealed" }));
  const known = recall(base, key, (fit) => isFit(fit, how));
  if (known !== undefined && !isRejected({ id: known.connection_id, revision: known.revision }, how)) return ok(known);
  forget(base, key);
  const work: Work = { base, store: connectionStore(base), key, how };
  let newest = 0;
  for (let round = 0; round < limits.renewRounds_count; round += 1) {
    const row = await work.store.find(key);
    const holding = await holdingOf(work, row, newest);
    if (!holding.ok) return holding;
    const name = base.platform.ports.random.bytes(lease_bytes).toBase64();
    const claimed = await claim(work, holding.value, name);
    if (claimed === undefined) return err(failure("unavailable", undefined, { reason: "connection_unreachable" }));
    if (claimed.kind === "stale") newest = claimed.epoch;
    const answer = await answerTo(work, claimed, holding.value, name);
    if (answer !== undefined) return answer;
  }
  return err(noToken("token_busy"));
}

function claim({ base, key }: Work, { held, want }: Holding, lease: string): Promise<Claimed | undefined> {
  const now = base.platform.ports.clock.now();
  const asked = { revision: held?.revision ?? null, want, lease, now };
  return askConnection(base, key, async (object): Promise<Claimed> => await object.claim(asked));
}

/** @returns undefined when the row has to be read again */
async function answerTo(
  work: Work,
  claimed: Claimed,
  { held, want }: Holding,
  name: string,
): Promise<Result<LiveCredential, Failure> | undefined> {
  const { base, how } = work;
  switch (claimed.kind) {
    case "current":
      if (held === undefined) throw new Error("A claim for nothing needs a row.");
      return ok(keep(work, held));
    case "stale":
    case "settled":
      return undefined;
    case "forced_lately":
      return err(how.creates === true || held === undefined ? noToken(refusedReason) : refused(work, held));
    case "resting": {
      const isGood = held !== undefined && want === "renewal" && !isOver(held, base.platform.ports.clock.now());
      return isGood ? ok(liveOf(held)) : err(notRenewed(work, held, claimed.reason));
    }
    case "renew": {
      const renewed = await underLease(work, { name, revision: claimed.revision });
      if (renewed === "again") return undefined;
      if (!renewed.ok) return renewed;
      const { held: now, live } = renewed.value;
      return ok(now === undefined ? live : keep(work, now));
    }
  }
}

/** Others wait for it, so it goes on when this request ends; but this request does not wait for ever. */
async function underLease(work: Work, lease: Lease): Promise<Renewal> {
  const { waitUntil, ports } = work.base.platform;
  const renewing = renewAndSettle(work, lease);
  waitUntil(renewing);
  const over = new AbortController();
  const late = ports.clock.sleep(limits.renewLease_ms, over.signal).then(() => err(noToken("token_renewal_slow")));
  const renewed = await Promise.race([renewing, late]);
  over.abort();
  return renewed;
}

function keep({ base, key, how }: Work, held: StoredConnection): LiveCredential {
  const live = liveOf(held);
  remember(base, key, held.fit, live, usableUntil(held, how));
  return live;
}
