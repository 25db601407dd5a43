/** A renewal by the one who has the lease: ask, store, settle, in this order. It may stop at each `await`, and the next one goes on. */
import { isDatabaseFailure } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { askConnection, type Outcome, type Renewed, type StoredConnection } from "../vault/index.ts";
import { dead, holdingOf, isOver, liveOf, notRenewed, type Holding } from "./hold.ts";
import { remark } from "./remarks.ts";
import type { LiveCredential, TokenFailure } from "./types.ts";
import type { RenewedTokens, Work } from "./work.ts";

export interface Lease {
  readonly name: string;
  /** To seal what comes of it for. */
  readonly revision: number;
}

/** `held`: the row as it is now, if it may be kept in memory. */
export interface Fresh {
  readonly held: StoredConnection | undefined;
  readonly live: LiveCredential;
}

/** `again`: somebody else changed the row meanwhile. */
export type Renewal = "again" | Result<Fresh, Failure>;

export async function renewAndSettle(work: Work, lease: Lease): Promise<Renewal> {
  try {
    return await renew(work, lease);
  } catch (thrown) {
    // The others must not wait for what will not come.
    await settle(work, lease, { kind: "released" });
    throw thrown;
  }
}

async function renew(work: Work, lease: Lease): Promise<Renewal> {
  const { store, key, how } = work;
  // Under the lease, since the row that the claim was for may have moved on before it.
  const holding = await holdingOf(work, await store.find(key), 0);
  if (!holding.ok || holding.value.want === "nothing" || how.renew === undefined) {
    await settle(work, lease, { kind: "released" });
    return holding.ok ? "again" : holding;
  }
  let isLost = false;
  const got = await how.renew(holding.value.held, async () => {
    // Whoever cannot ask does not know, and sends nothing.
    const isHeld = await askConnection(
      work.base,
      key,
      async (object): Promise<boolean> => await object.hold(lease.name),
    );
    isLost = isHeld !== true;
    return !isLost;
  });
  if (isLost) {
    await settle(work, lease, { kind: "released" });
    return "again";
  }
  if (!got.ok) return failed(work, lease, holding.value, got.error);
  const { held } = holding.value;
  if (held !== undefined && how.creates !== true && isElsewhere(held, got.value)) {
    return failed(work, lease, holding.value, { kind: "wrong", reason: "issuer_changed" });
  }
  return stored(work, lease, holding.value, got.value);
}

/** What one issuer gave is never bound to another. */
const isElsewhere = (held: StoredConnection, { issuer, token_endpoint }: RenewedTokens): boolean =>
  issuer !== held.issuer || token_endpoint !== held.token_endpoint;

async function failed(
  work: Work,
  lease: Lease,
  { held, want }: Holding,
  { kind, reason, retry_at }: TokenFailure,
): Promise<Renewal> {
  const { base, how } = work;
  const now = base.platform.ports.clock.now();
  if (kind === "dead" && held !== undefined && how.creates !== true) {
    const refused = await dead(work, held, reason);
    await settle(work, lease, { kind: "released" });
    return err(refused);
  }
  const earliest = now + limits.renewPause_ms;
  const until = Math.min(Math.max(retry_at ?? earliest, earliest), now + limits.renewPause_ms_max);
  await settle(work, lease, { kind: "failed", reason, retry_at: until });
  // What passes does so by itself; for all else somebody has to look at the client or the provider.
  if (kind !== "passing" && held !== undefined) remark(work, held, reason);
  if (held === undefined || want === "forced" || isOver(held, now)) return err(notRenewed(work, held, reason));
  return ok({ held: undefined, live: liveOf(held) });
}

async function stored(work: Work, lease: Lease, { held, want }: Holding, got: RenewedTokens): Promise<Renewal> {
  const renewed = renewedOf(work, held, got);
  const written = await write(work, lease, held, renewed);
  if (written.kind === "lost") {
    const now = work.base.platform.ports.clock.now();
    await settle(work, lease, { kind: "failed", reason: written.reason, retry_at: now + limits.renewPause_ms });
    return err(failure("unavailable", undefined, { reason: written.reason }));
  }
  if (written.kind === "moved") {
    await settle(work, lease, { kind: "released" });
    return "again";
  }
  const { row } = written;
  const now = work.base.platform.ports.clock.now();
  await settle(work, lease, { kind: "stored", revision: row.revision, forced: want === "forced", now });
  return ok({ held: row, live: liveOf(row) });
}

function renewedOf({ how }: Work, held: StoredConnection | undefined, got: RenewedTokens): Renewed {
  const before = held?.credential.kind === "tokens" && how.creates !== true ? held.credential : undefined;
  const { refresh_token, id_token } = before ?? {};
  return {
    credential: {
      ...(refresh_token === undefined ? {} : { refresh_token }),
      ...(id_token === undefined ? {} : { id_token }),
      ...got.tokens,
    },
    issuer: got.issuer,
    token_endpoint: got.token_endpoint,
    revocation_endpoint: got.revocation_endpoint ?? held?.revocation_endpoint ?? null,
    client_id: got.client_id,
    // RFC 6749 section 6: without a word the scope is what it was.
    scope: got.scope ?? (how.creates === true ? null : (held?.scope ?? null)),
    fit: how.fit ?? held?.fit ?? "",
  };
}

type Written =
  | { readonly kind: "stored"; readonly row: StoredConnection }
  /** Somebody linked it anew, ended it, or renewed it under a later lease. */
  | { readonly kind: "moved" }
  | { readonly kind: "lost"; readonly reason: string };

/** A database that does not answer may have done what it was asked: then the row is at our revision already. */
async function write(work: Work, lease: Lease, held: StoredConnection | undefined, renewed: Renewed): Promise<Written> {
  for (let tries = 0; tries < limits.connectionWrites_count; tries += 1) {
    try {
      if (held === undefined) return await create(work, renewed);
      await work.store.renew(held, renewed, lease.revision);
      const row = await work.store.find(work.key);
      if (row?.id !== held.id || row.revision !== lease.revision) return { kind: "moved" };
      return { kind: "stored", row: { ...row, credential: renewed.credential } };
    } catch (thrown) {
      if (!isDatabaseFailure(thrown)) throw thrown;
      // Without the failure itself: it quotes the statement and its values.
      work.base.platform.log("error", "A renewed token could not be stored", { tenant: work.base.tenant.id });
    }
  }
  return { kind: "lost", reason: "token_not_stored" };
}

async function create({ store, key }: Work, renewed: Renewed): Promise<Written> {
  const put = await store.put(key, { ...renewed, asked_scope: null, step_ups: 0 });
  if (put !== "stored") return put === "busy" ? { kind: "moved" } : { kind: "lost", reason: put };
  const row = await store.find(key);
  return row === undefined ? { kind: "moved" } : { kind: "stored", row: { ...row, credential: renewed.credential } };
}

/** Should the object not be told, the lease ends by itself, and it learns of the revision from whoever reads the row. */
async function settle({ base, key }: Work, { name }: Lease, outcome: Outcome): Promise<void> {
  await askConnection(base, key, async (object): Promise<void> => await object.settle(name, outcome));
}
