/**
 * What is wrong with a connection that calls go on using, for those who look at it. Nothing is decided by it, so that a server or a
 * provider with a bad minute logs nobody out, and it goes with the next call or renewal that succeeds. It is written behind the answer,
 * and only where it is news.
 */
import { isDatabaseFailure } from "../db/index.ts";
import { connectionStore, type ConnectionKey, type StoredConnection } from "../vault/index.ts";
import { forget } from "./memory.ts";
import type { Base, LiveCredential } from "./types.ts";
import type { Work } from "./work.ts";

/** The server refuses it, and there is no other: not a moment after a renewal, or none at all. */
export const refusedReason = "refused";

/** The provider does not know the registration that Gatehouse made there: the next link makes another one, and nothing else does. */
export const registrationGone = "registration_gone";

/** Remarks that ask the person for a new link, although calls go on with what there is. */
const asking: ReadonlySet<string | null> = new Set([refusedReason, registrationGone]);

export const asksToLink = (reason: string | null): boolean => asking.has(reason);

/** @param reason stable */
export function remark({ base, store }: Pick<Work, "base" | "store">, held: StoredConnection, reason: string): void {
  if (held.reason === reason) return;
  behind(base, () => store.remark(held, reason));
}

/** To be told of each credential that a server took. Nothing is asked where none was refused before. */
export function noteAccepted(
  base: Pick<Base, "platform" | "tenant" | "vault">,
  key: ConnectionKey,
  { connection_id, revision, wasRefused }: LiveCredential,
): void {
  if (wasRefused !== true) return;
  forget(base, key);
  behind(base, () => connectionStore(base).remark({ id: connection_id, revision, reason: refusedReason }, null));
}

function behind({ platform, tenant }: Pick<Base, "platform" | "tenant">, write: () => Promise<void>): void {
  const written = write().catch((cause: unknown) => {
    if (!isDatabaseFailure(cause)) throw cause;
    platform.log("warn", "The reason of a connection could not be written", { tenant: tenant.id, cause });
  });
  platform.waitUntil(written);
}
