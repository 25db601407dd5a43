import { beforeEach, describe, expect, it } from "vitest";
import {
  knownFacts,
  knownShard,
  learnChanges,
  learnFacts,
  learnNew,
  type KnownShard,
} from "../../../src/session/facts-memory.ts";
import { limits } from "../../../src/limits.ts";
import { start } from "./support.ts";

let shardName: string;
const owner = "session:a";
beforeEach(() => {
  shardName = `${crypto.randomUUID()}:session:0`;
});

/** What the object says of an owner; the level tells the answers apart. */
const state = (version: number, log_level: string | null): { version: number; facts: string } => ({
  version,
  facts: JSON.stringify({ ended: false, log_level, subscriptions: [], upstreams: [] }),
});

function shard(): KnownShard {
  const known = knownShard(shardName);
  if (known === undefined) throw new Error("the shard is not known");
  return known;
}

describe("answers that overtake each other", () => {
  it("FT-07: facts that were read before a check came back are used once and not remembered", () => {
    learnFacts(shardName, "session:b", state(5, null), start);
    learnChanges(shardName, shard(), { version: 7, owners: [{ owner, version: 7 }] }, start);
    expect(learnFacts(shardName, owner, state(6, "debug"), start).log_level).toBe("debug");
    expect(knownFacts(shardName, owner)).toBeUndefined();
  });

  it("FT-07: an older answer does not undo a newer one", () => {
    learnFacts(shardName, owner, state(5, null), start);
    learnFacts(shardName, owner, state(7, "error"), start);
    learnFacts(shardName, owner, state(6, "debug"), start);
    expect(knownFacts(shardName, owner)?.log_level).toBe("error");
  });

  it("FT-07: an older check takes back neither version nor time of a newer one", () => {
    learnFacts(shardName, owner, state(5, null), start);
    learnChanges(shardName, shard(), { version: 8, owners: [] }, start + 100);
    learnChanges(shardName, shard(), { version: 6, owners: [{ owner, version: 6 }] }, start + 50);
    expect(shard()).toMatchObject({ version: 8, checked_at: start + 100 });
    expect(knownFacts(shardName, owner)).toBeUndefined();
  });

  it("a change that is older than the facts leaves them", () => {
    learnFacts(shardName, owner, state(5, null), start);
    learnFacts(shardName, owner, state(7, "error"), start);
    learnChanges(shardName, shard(), { version: 7, owners: [{ owner, version: 7 }] }, start);
    expect(knownFacts(shardName, owner)?.log_level).toBe("error");
  });

  it("after a check that names nobody, what was remembered is void, also a read that was on its way", () => {
    learnFacts(shardName, owner, state(5, null), start);
    learnChanges(shardName, shard(), { version: 9, owners: "all" }, start);
    expect(knownFacts(shardName, owner)).toBeUndefined();
    learnFacts(shardName, owner, state(8, "debug"), start);
    expect(knownFacts(shardName, owner)).toBeUndefined();
    learnFacts(shardName, owner, state(9, "debug"), start);
    expect(knownFacts(shardName, owner)?.log_level).toBe("debug");
  });
});

describe("bounds", () => {
  it("RX-15: a new owner of a shard that is not known is not remembered: nobody would tell of its changes", () => {
    learnNew(shardName, owner);
    expect([knownShard(shardName), knownFacts(shardName, owner)]).toEqual([undefined, undefined]);
  });

  it("RX-15: facts are remembered up to a size, the oldest go", () => {
    const level = "x".repeat(limits.facts_chars / 4);
    for (const n of [1, 2, 3, 4]) learnFacts(shardName, `session:${n}`, state(1, level), start);
    expect([1, 2, 3, 4].map((n) => knownFacts(shardName, `session:${n}`) !== undefined)).toEqual([
      false,
      true,
      true,
      true,
    ]);
    // What is replaced or forgotten makes room.
    for (const n of [2, 3, 4]) learnFacts(shardName, `session:${n}`, state(2, null), start);
    learnFacts(shardName, "session:5", state(2, level), start);
    expect([2, 3, 4, 5].map((n) => knownFacts(shardName, `session:${n}`) !== undefined)).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });

  it("RX-15: facts of so many owners are remembered, the oldest go", () => {
    learnFacts(shardName, owner, state(1, null), start);
    for (let n = 0; n < limits.facts_count; n += 1) learnNew(shardName, `session:${n}`);
    expect(knownFacts(shardName, owner)).toBeUndefined();
    expect(knownFacts(shardName, "session:0")).toBeDefined();
  });
});
