/**
 * The state of an owner: read from isolate memory while it is fresh, written through the object. What is shared between requests
 * is immutable facts, versions and times; never a promise, which would die with the request that made it.
 */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { knownFacts, knownShard, learnChanges, learnFacts, learnNew, type KnownShard } from "./facts-memory.ts";
import type { Refusal, Written } from "./owner-rows.ts";
import type { Session } from "./session-object.ts";
import { askShard, shardOf } from "./shard.ts";
import { decodeFacts } from "./stored.ts";
import type { Facts, SessionContext, Subscription } from "./types.ts";

/**
 * The owner's facts, at most `limits.snapshotFresh_ms` old. An owner that this isolate has not seen costs one question.
 * Failure: `unavailable` when the object does not answer in time.
 */
export async function readFacts(context: SessionContext, owner: string): Promise<Result<Facts, Failure>> {
  const { platform, tenant } = context;
  const now = platform.ports.clock.now();
  const shardName = shardOf(tenant.id, owner);
  const shard = knownShard(shardName);
  const facts = knownFacts(shardName, owner);
  if (shard !== undefined && facts !== undefined) {
    const age_ms = now - shard.checked_at;
    // A clock that went back makes the age negative: then nothing is known to be fresh.
    if (age_ms >= 0 && age_ms < limits.snapshotFresh_ms) {
      if (age_ms >= limits.snapshotRefresh_ms && now - shard.refresh_at >= limits.snapshotCheck_ms) {
        shard.refresh_at = now;
        platform.waitUntil(checkShard(context, owner, shard));
      }
      return ok(facts);
    }
    const checked = await checkShard(context, owner, shard);
    if (!checked.ok) return checked;
    const unchanged = knownFacts(shardName, owner);
    if (unchanged !== undefined) return ok(unchanged);
  }
  return rereadFacts(context, owner);
}

/** The facts as they are now: for who was told that they changed, which may be before this isolate remembers it. */
export async function rereadFacts(context: SessionContext, owner: string): Promise<Result<Facts, Failure>> {
  const asked_at = context.platform.ports.clock.now();
  const state = await askShard(context, owner, limits.snapshotFirst_ms, (object) => object.read(owner));
  return state.ok ? ok(learnFacts(shardOf(context.tenant.id, owner), owner, state.value, asked_at)) : state;
}

/**
 * Remembers that an owner which was made just now has no facts, so that its first request asks nothing more. To be called before
 * its id leaves the Worker.
 */
export function knowNew({ tenant }: SessionContext, owner: string): void {
  learnNew(shardOf(tenant.id, owner), owner);
}

/** `logging/setLevel`. Failures of this and the next ones: `not_found` when the session is over, `too_many`, `unavailable`. */
export const setLogLevel = (context: SessionContext, owner: string, level: string): Promise<Result<Facts, Failure>> =>
  writeFacts(context, owner, (object) => object.setLogLevel(owner, level));

/** `resources/subscribe`. Also `too_many` past `limits.subscriptionsPerOwner_count`. */
export const addSubscription = (
  context: SessionContext,
  owner: string,
  { server_id, uri }: Subscription,
): Promise<Result<Facts, Failure>> =>
  writeFacts(context, owner, (object) => object.addSubscription(owner, server_id, uri));

/** `resources/unsubscribe`. One that is not there is no failure. */
export const removeSubscription = (
  context: SessionContext,
  owner: string,
  { server_id, uri }: Subscription,
): Promise<Result<Facts, Failure>> =>
  writeFacts(context, owner, (object) => object.removeSubscription(owner, server_id, uri));

/** The server changed a list in this owner's session with it. */
export const markDiverged = (
  context: SessionContext,
  owner: string,
  server_id: string,
): Promise<Result<Facts, Failure>> => writeFacts(context, owner, (object) => object.markDiverged(owner, server_id));

/**
 * Ends the session for ever, and its lines at once.
 * @param expires_at of its id, in milliseconds since the Unix epoch
 * @returns what it had, so that its upstream sessions can be ended; `ended` when it was over already
 */
export async function endSession(
  context: SessionContext,
  owner: string,
  expires_at: number,
): Promise<Result<Facts, Failure>> {
  const asked_at = context.platform.ports.clock.now();
  const ended = await askShard(context, owner, limits.snapshotFirst_ms, (object) => object.end(owner, expires_at));
  if (!ended.ok) return ended;
  learnFacts(shardOf(context.tenant.id, owner), owner, ended.value.after, asked_at);
  return ok(decodeFacts(ended.value.before.facts));
}

/** A change of an owner's facts, in its object and in this isolate. */
export async function writeFacts(
  context: SessionContext,
  owner: string,
  write: (object: DurableObjectStub<Session>) => Promise<Written>,
): Promise<Result<Facts, Failure>> {
  const asked_at = context.platform.ports.clock.now();
  const written = await askShard(context, owner, limits.snapshotFirst_ms, write);
  if (!written.ok) return written;
  if (written.value.kind === "refused") return err(refusal(written.value.reason));
  return ok(learnFacts(shardOf(context.tenant.id, owner), owner, written.value.state, asked_at));
}

export function refusal(reason: Refusal): Failure {
  switch (reason) {
    case "session_ended":
      return failure("not_found", "The session is not known", { reason });
    case "too_many":
      return failure("too_many", "The session holds too much", { reason: "session_too_many" });
    case "lease_lost":
      return failure("conflict", undefined, { reason });
  }
}

async function checkShard(context: SessionContext, owner: string, shard: KnownShard): Promise<Result<void, Failure>> {
  const asked_at = context.platform.ports.clock.now();
  const since = shard.version;
  const changes = await askShard(context, owner, limits.snapshotCheck_ms, (object) => object.changes(since));
  if (!changes.ok) return changes;
  learnChanges(shardOf(context.tenant.id, owner), shard, changes.value, asked_at);
  return ok(undefined);
}
