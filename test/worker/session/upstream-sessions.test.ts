import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import {
  claimUpstream,
  forgetUpstream,
  markDiverged,
  newOwner,
  readFacts,
  releaseUpstream,
  storeUpstream,
  type UpstreamClaim,
} from "../../../src/session/index.ts";
import { encodeUpstream } from "../../../src/session/stored.ts";
import { limits } from "../../../src/limits.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";
import {
  codeOf,
  invocation,
  objectOf,
  otherIsolate,
  setClock,
  start,
  upstream,
  value,
  type Invocation,
} from "./support.ts";

const server = { id: "s1", revision: 1 };
let here: Invocation;
let owner: string;
/** The clock of the object. */
let inside: VirtualClock;

beforeEach(async () => {
  here = await invocation();
  owner = newOwner(systemPorts.random);
  inside = new VirtualClock(start);
  await setClock(objectOf(here.context, owner), inside);
});

const claim = async (of = server): Promise<UpstreamClaim> => value(await claimUpstream(here.context, owner, of));

async function lease(of = server): Promise<string> {
  const claimed = await claim(of);
  if (claimed.kind !== "open") throw new Error("a lease was expected");
  return claimed.lease;
}

describe("sessions with upstream servers", () => {
  it("the first claimer opens one, and later ones find it without a question", async () => {
    value(await storeUpstream(here.context, owner, await lease(), upstream()));
    here.asked = 0;
    expect(await claim()).toEqual({ kind: "known", session: upstream() });
    expect(here.asked).toBe(0);
  });

  it("FT-07: of twenty that claim at once, one opens and all get its session", async () => {
    const claims = Array.from({ length: 20 }, () => claim());
    const first = await Promise.race(claims);
    if (first.kind !== "open") throw new Error("a lease was expected");
    value(await storeUpstream(here.context, owner, first.lease, upstream()));
    const kinds = (await Promise.all(claims)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "open")).toHaveLength(1);
    expect(kinds.filter((kind) => kind === "known")).toHaveLength(19);
  });

  it("FT-07: a claimer in another isolate waits as well", async () => {
    const mine = await lease();
    const waits = otherIsolate.claimUpstream(here.context, owner, server);
    await inside.asleep(limits.upstreamLease_ms);
    value(await storeUpstream(here.context, owner, mine, upstream()));
    expect(value(await waits)).toEqual({ kind: "known", session: upstream() });
  });

  it("when opening fails, the next claimer may try at once", async () => {
    const failing = await lease();
    const waits = claim();
    await inside.asleep(limits.upstreamLease_ms);
    value(await releaseUpstream(here.context, owner, server.id, failing));
    expect((await waits).kind).toBe("open");
  });

  it("FT-07: a lease holder that died holds the others off for so long and no longer", async () => {
    const dead = await lease();
    const waits = claim();
    await inside.asleep(limits.upstreamLease_ms);
    inside.advance(limits.upstreamLease_ms - 1);
    expect(await Promise.race([waits, Promise.resolve("waits")])).toBe("waits");
    inside.advance(1);
    const next = await waits;
    if (next.kind !== "open") throw new Error("a lease was expected");
    // The dead one was only slow: two sessions must not both be the owner's.
    expect(codeOf(await storeUpstream(here.context, owner, dead, upstream({ id: "slow" })))).toBe(
      "conflict lease_lost",
    );
    expect(codeOf(await storeUpstream(here.context, owner, next.lease, upstream({ id: "next" })))).toBe("ok");
    expect(await claim()).toEqual({ kind: "known", session: upstream({ id: "next" }) });
  });

  it("a holder that was slow still stores when nobody took its lease", async () => {
    const slow = await lease();
    inside.advance(limits.upstreamLease_ms * 2);
    expect(codeOf(await storeUpstream(here.context, owner, slow, upstream()))).toBe("ok");
  });

  it("FT-07: a lease outlives an eviction of the object", async () => {
    const object = objectOf(here.context, owner);
    const mine = await lease();
    await evictDurableObject(object);
    await setClock(object, inside);
    const waits = claim();
    await inside.asleep(limits.upstreamLease_ms);
    value(await storeUpstream(here.context, owner, mine, upstream()));
    expect((await waits).kind).toBe("known");
  });

  it("a claimer that waited long enough is told that the server is busy", async () => {
    await lease();
    const waits = claimUpstream(here.context, owner, server);
    await inside.asleep(limits.upstreamLease_ms);
    // Another claimer takes the lease each time that it falls free.
    for (const turn of [1, 2]) {
      inside.advance(limits.upstreamLease_ms - 1);
      await setFree(turn);
      inside.advance(1);
      if (turn === 1) await inside.asleep(limits.upstreamLease_ms);
    }
    expect(codeOf(await waits)).toBe("unavailable upstream_session_busy");
  });

  /** As if somebody else had come first: the lease row gets a new holder. */
  async function setFree(turn: number): Promise<void> {
    await runInDurableObject(objectOf(here.context, owner), (_instance, { storage }) => {
      const free_at = inside.now() + 1 + limits.upstreamLease_ms;
      storage.sql.exec("UPDATE leases SET lease = ?, free_at = ? WHERE owner = ?", `other-${turn}`, free_at, owner);
    });
  }

  it("a session of an older revision of the server is not used, and is replaced", async () => {
    value(await storeUpstream(here.context, owner, await lease(), upstream()));
    const newer = await lease({ id: "s1", revision: 2 });
    value(await storeUpstream(here.context, owner, newer, upstream({ revision: 2, id: "u2" })));
    expect(value(await readFacts(here.context, owner)).upstreams).toEqual([upstream({ revision: 2, id: "u2" })]);
  });

  it.each([["u1"], [undefined]])("a server that forgot session %s gets a new one", async (id) => {
    value(await storeUpstream(here.context, owner, await lease(), upstream({ id })));
    value(await forgetUpstream(here.context, owner, "s1", id));
    expect((await claim()).kind).toBe("open");
  });

  it("a session that was stored since is not forgotten", async () => {
    value(await storeUpstream(here.context, owner, await lease(), upstream({ id: "new" })));
    value(await forgetUpstream(here.context, owner, "s1", "old"));
    expect((await claim()).kind).toBe("known");
  });

  it("a server that changed a list in this session is remembered so, its numbers as they were", async () => {
    const capabilities = { experimental: { limit: 1e21, ratio: 0.1 } };
    value(await storeUpstream(here.context, owner, await lease(), upstream({ capabilities })));
    value(await markDiverged(here.context, owner, "s1"));
    expect(await claim()).toEqual({ kind: "known", session: upstream({ capabilities, diverged: true }) });
  });

  it("RX-15: an owner has so many upstream sessions and no more", async () => {
    await runInDurableObject(objectOf(here.context, owner), async (instance) => {
      for (let n = 0; n < limits.upstreamSessionsPerOwner_count; n += 1) {
        const server_id = `s${n}`;
        await instance.claimUpstream(owner, server_id, 1, "lease");
        const json = encodeUpstream(upstream({ server_id }));
        await instance.storeUpstream(owner, "lease", { server_id, revision: 1, session_id: "u1", json });
      }
    });
    expect(value(await readFacts(here.context, owner)).upstreams).toHaveLength(limits.upstreamSessionsPerOwner_count);
    const more = await lease({ id: "more", revision: 1 });
    expect(codeOf(await storeUpstream(here.context, owner, more, upstream({ server_id: "more" })))).toBe(
      "too_many session_too_many",
    );
  });

  it("RX-15: a server that declares too much of itself is not stored", async () => {
    const instructions = "x".repeat(limits.upstreamSession_chars);
    expect(codeOf(await storeUpstream(here.context, owner, await lease(), upstream({ instructions })))).toBe(
      "too_many session_too_many",
    );
  });
});
