/**
 * What an isolate remembers of owners. Facts are valid while their shard was asked for changes a short time ago; the version
 * of the shard decides between answers that overtake each other.
 */
import { BoundedMap } from "../bounded-map.ts";
import { limits } from "../limits.ts";
import type { Changes, OwnerState } from "./owner-rows.ts";
import { decodeFacts, noFacts } from "./stored.ts";
import type { Facts } from "./types.ts";

export interface KnownShard {
  /** All changes up to this version are taken into account. */
  version: number;
  /** When the check that last said so was sent. */
  checked_at: number;
  /** When a check behind an answer was last started. */
  refresh_at: number;
}

interface Entry {
  /** Facts count only under the shard that they were read under: one that was forgotten no longer learns of changes. */
  readonly shard: KnownShard;
  readonly version: number;
  readonly facts: Facts;
  readonly size_chars: number;
}

const shards = new BoundedMap<KnownShard>(limits.factsShards_count);
/** By shard and owner, oldest first, bounded in number and in size. */
const entries = new Map<string, Entry>();
let held_chars = 0;

const keyOf = (shardName: string, owner: string): string => `${shardName}\n${owner}`;

export const knownShard = (shardName: string): KnownShard | undefined => shards.get(shardName);

export function knownFacts(shardName: string, owner: string): Facts | undefined {
  const entry = entries.get(keyOf(shardName, owner));
  return entry !== undefined && entry.shard === shards.get(shardName) ? entry.facts : undefined;
}

/**
 * Takes what the object said of an owner.
 * @param asked_at when it was asked, in milliseconds since the Unix epoch
 */
export function learnFacts(shardName: string, owner: string, state: OwnerState, asked_at: number): Facts {
  const facts = decodeFacts(state.facts);
  let shard = shards.get(shardName);
  if (shard === undefined) {
    shard = { version: state.version, checked_at: asked_at, refresh_at: asked_at };
    shards.set(shardName, shard);
  }
  remember(keyOf(shardName, owner), { shard, version: state.version, facts, size_chars: state.facts.length });
  return facts;
}

/** A new owner has no facts; needs no question where the shard is known, since changes are then learned as for any other. */
export function learnNew(shardName: string, owner: string): void {
  const shard = shards.get(shardName);
  if (shard === undefined) return;
  remember(keyOf(shardName, owner), { shard, version: shard.version, facts: noFacts, size_chars: 0 });
}

/** @param shard the shard whose version the check started from */
export function learnChanges(shardName: string, shard: KnownShard, changes: Changes, asked_at: number): void {
  if (changes.owners === "all") {
    // A new shard: every entry of the old one is void.
    shards.set(shardName, { version: changes.version, checked_at: asked_at, refresh_at: asked_at });
    return;
  }
  for (const { owner, version } of changes.owners) {
    const key = keyOf(shardName, owner);
    const entry = entries.get(key);
    if (entry !== undefined && entry.version < version) forget(key, entry);
  }
  shard.version = Math.max(shard.version, changes.version);
  // After the clock went back, the later of both times would make the shard look fresh for too long.
  shard.checked_at =
    shard.checked_at > asked_at + limits.snapshotFresh_ms ? asked_at : Math.max(shard.checked_at, asked_at);
}

function remember(key: string, entry: Entry): void {
  const known = entries.get(key);
  // Answers overtake each other: an older one than a check or an answer that is here already must not undo it.
  if (entry.version < entry.shard.version) return;
  if (known?.shard === entry.shard && known.version > entry.version) return;
  if (known !== undefined) forget(key, known);
  entries.set(key, entry);
  held_chars += entry.size_chars;
  for (const [oldest, { size_chars }] of entries) {
    if (entries.size <= limits.facts_count && held_chars <= limits.facts_chars) break;
    entries.delete(oldest);
    held_chars -= size_chars;
  }
}

function forget(key: string, entry: Entry): void {
  entries.delete(key);
  held_chars -= entry.size_chars;
}
