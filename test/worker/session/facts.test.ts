import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import {
  addSubscription,
  claimUpstream,
  endSession,
  forgetUpstream,
  knowNew,
  markDiverged,
  newOwner,
  readFacts,
  removeSubscription,
  setLogLevel,
  storeUpstream,
} from "../../../src/session/index.ts";
import { limits } from "../../../src/limits.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import {
  codeOf,
  invocation,
  objectOf,
  otherIsolate,
  sibling,
  start,
  upstream,
  value,
  type Invocation,
} from "./support.ts";

const nothing = { ended: false, log_level: undefined, subscriptions: [], upstreams: [] };
const expires_at = start + limits.session_ms;

let here: Invocation;
let owner: string;

beforeEach(async () => {
  here = await invocation();
  owner = newOwner(systemPorts.random);
});

async function store(session = upstream()): Promise<void> {
  const claim = value(await claimUpstream(here.context, owner, { id: session.server_id, revision: session.revision }));
  if (claim.kind !== "open") throw new Error("a lease was expected");
  value(await storeUpstream(here.context, owner, claim.lease, session));
}

describe("facts of an owner", () => {
  it("what is written is read, here and in another isolate", async () => {
    value(await setLogLevel(here.context, owner, "warning"));
    value(await addSubscription(here.context, owner, { server_id: "s1", uri: "file:///b" }));
    value(await addSubscription(here.context, owner, { server_id: "s1", uri: "file:///a" }));
    value(await removeSubscription(here.context, owner, { server_id: "s1", uri: "file:///b" }));
    await store(upstream({ instructions: "Use it.", id: undefined }));
    const facts = {
      ended: false,
      log_level: "warning",
      subscriptions: [{ server_id: "s1", uri: "file:///a" }],
      upstreams: [upstream({ instructions: "Use it.", id: undefined })],
    };
    expect(value(await readFacts(here.context, owner))).toEqual(facts);
    expect(value(await otherIsolate.readFacts(here.context, owner))).toEqual(facts);
  });

  it("FT-07: facts survive an eviction of the object", async () => {
    value(await setLogLevel(here.context, owner, "error"));
    await store();
    await evictDurableObject(objectOf(here.context, owner));
    expect(value(await otherIsolate.readFacts(here.context, owner))).toEqual({
      ...nothing,
      log_level: "error",
      upstreams: [upstream()],
    });
  });

  it("an owner that was seen costs no question for two seconds, and a busy one never waits", async () => {
    await readFacts(here.context, owner);
    expect(here.asked).toBe(1);
    await readFacts(here.context, owner);
    here.clock.advance(limits.snapshotRefresh_ms - 1);
    await readFacts(here.context, owner);
    expect(here.asked).toBe(1);
    here.clock.advance(1);
    // Two at once: one check, behind the answers.
    await Promise.all([readFacts(here.context, owner), readFacts(here.context, owner)]);
    await here.settle();
    expect(here.asked).toBe(2);
    here.clock.advance(limits.snapshotRefresh_ms - 1);
    await readFacts(here.context, owner);
    expect(here.asked).toBe(2);
  });

  it("MC-30: a change in another isolate is known here within two seconds", async () => {
    expect(value(await readFacts(here.context, owner))).toEqual(nothing);
    value(await otherIsolate.setLogLevel(here.context, owner, "debug"));
    here.clock.advance(limits.snapshotFresh_ms - 1);
    // Still fresh: the old facts, and a check behind them.
    expect(value(await readFacts(here.context, owner)).log_level).toBeUndefined();
    await here.settle();
    expect(value(await readFacts(here.context, owner)).log_level).toBe("debug");
  });

  it("MC-30: an idle isolate asks before it answers with what it remembers", async () => {
    await readFacts(here.context, owner);
    value(await otherIsolate.endSession(here.context, owner, expires_at));
    here.clock.advance(limits.snapshotFresh_ms);
    expect(value(await readFacts(here.context, owner)).ended).toBe(true);
  });

  it("facts whose owner did not change are kept through a check", async () => {
    await readFacts(here.context, owner);
    const neighbour = sibling(here.context, owner);
    value(await otherIsolate.setLogLevel(here.context, neighbour, "debug"));
    here.clock.advance(limits.snapshotFresh_ms);
    here.asked = 0;
    await readFacts(here.context, owner);
    expect(here.asked).toBe(1);
    expect(value(await readFacts(here.context, neighbour)).log_level).toBe("debug");
  });

  it("after more changes than a check names, everything is read anew", async () => {
    await readFacts(here.context, owner);
    const object = objectOf(here.context, owner);
    await object.setLogLevel(owner, "debug");
    await runInDurableObject(object, async (instance) => {
      for (let n = 0; n < limits.changedOwners_count; n += 1) await instance.setLogLevel(`session:n${n}`, "debug");
    });
    expect((await object.changes(0)).owners).toBe("all");
    here.clock.advance(limits.snapshotFresh_ms);
    expect(value(await readFacts(here.context, owner)).log_level).toBe("debug");
  });

  it("FT-15: a clock that went back trusts nothing that it remembers", async () => {
    await readFacts(here.context, owner);
    value(await otherIsolate.setLogLevel(here.context, owner, "debug"));
    here.clock.advance(-60_000);
    expect(value(await readFacts(here.context, owner)).log_level).toBe("debug");
    here.clock.advance(limits.snapshotFresh_ms);
    value(await otherIsolate.setLogLevel(here.context, owner, "error"));
    expect(value(await readFacts(here.context, owner)).log_level).toBe("error");
  });

  it("a new owner of a known shard is known without a question, and its changes are learned", async () => {
    await readFacts(here.context, sibling(here.context, owner));
    knowNew(here.context, owner);
    here.asked = 0;
    expect([value(await readFacts(here.context, owner)), here.asked]).toEqual([nothing, 0]);
    value(await otherIsolate.setLogLevel(here.context, owner, "debug"));
    here.clock.advance(limits.snapshotFresh_ms);
    expect(value(await readFacts(here.context, owner)).log_level).toBe("debug");
  });

  it("a new owner of an unknown shard is asked for", async () => {
    knowNew(here.context, owner);
    await readFacts(here.context, owner);
    expect(here.asked).toBe(1);
  });

  it("MC-34: owners of one object do not see each other", async () => {
    const neighbour = sibling(here.context, owner);
    value(await addSubscription(here.context, owner, { server_id: "s1", uri: "file:///a" }));
    value(await endSession(here.context, neighbour, expires_at));
    expect(value(await readFacts(here.context, neighbour)).subscriptions).toEqual([]);
    expect(value(await readFacts(here.context, owner)).ended).toBe(false);
  });

  it("TN-05: the same owner in another tenant is another owner", async () => {
    const there = await invocation();
    value(await setLogLevel(here.context, owner, "debug"));
    expect(value(await readFacts(there.context, owner))).toEqual(nothing);
  });
});

describe("the end of a session", () => {
  it("F7: it gives what the session had, once, and nothing of it is left", async () => {
    value(await setLogLevel(here.context, owner, "debug"));
    await store();
    expect(value(await endSession(here.context, owner, expires_at))).toEqual({
      ...nothing,
      log_level: "debug",
      upstreams: [upstream()],
    });
    expect(value(await endSession(here.context, owner, expires_at))).toEqual({ ...nothing, ended: true });
    expect(value(await readFacts(here.context, owner))).toEqual({ ...nothing, ended: true });
  });

  it("F7: it holds after an eviction and in another isolate", async () => {
    value(await endSession(here.context, owner, expires_at));
    await evictDurableObject(objectOf(here.context, owner));
    expect(value(await otherIsolate.readFacts(here.context, owner))).toEqual({ ...nothing, ended: true });
  });

  it.each([
    ["setLogLevel", () => setLogLevel(here.context, owner, "debug")],
    ["addSubscription", () => addSubscription(here.context, owner, { server_id: "s1", uri: "file:///a" })],
    ["markDiverged", () => markDiverged(here.context, owner, "s1")],
    ["forgetUpstream", () => forgetUpstream(here.context, owner, "s1", "u1")],
    ["claimUpstream", () => claimUpstream(here.context, owner, { id: "s1", revision: 1 })],
    ["storeUpstream", () => storeUpstream(here.context, owner, "lease", upstream())],
  ])("F7: %s is refused after it, also where this isolate has not learned of it", async (_title, write) => {
    await readFacts(here.context, owner);
    value(await otherIsolate.endSession(here.context, owner, expires_at));
    expect(codeOf(await write())).toBe("not_found session_ended");
    expect(value(await otherIsolate.readFacts(here.context, owner))).toEqual({ ...nothing, ended: true });
  });

  it("F7: a session that is opened upstream while its client's ends is not stored", async () => {
    const claim = value(await claimUpstream(here.context, owner, { id: "s1", revision: 1 }));
    value(await endSession(here.context, owner, expires_at));
    const lease = claim.kind === "open" ? claim.lease : "";
    expect(codeOf(await storeUpstream(here.context, owner, lease, upstream()))).toBe("not_found session_ended");
  });
});

describe("bounds and faults", () => {
  it("RX-15: an owner has so many subscriptions and no more; one that it has counts once", async () => {
    await runInDurableObject(objectOf(here.context, owner), async (instance) => {
      for (let n = 0; n < limits.subscriptionsPerOwner_count; n += 1) {
        await instance.addSubscription(owner, "s1", `file:///${n}`);
      }
    });
    expect(codeOf(await addSubscription(here.context, owner, { server_id: "s1", uri: "file:///more" }))).toBe(
      "too_many session_too_many",
    );
    expect(codeOf(await addSubscription(here.context, owner, { server_id: "s1", uri: "file:///0" }))).toBe("ok");
    value(await removeSubscription(here.context, owner, { server_id: "s1", uri: "file:///0" }));
    expect(codeOf(await addSubscription(here.context, owner, { server_id: "s1", uri: "file:///more" }))).toBe("ok");
  });

  it("MC-41: the same level again changes nothing", async () => {
    const object = objectOf(here.context, owner);
    value(await setLogLevel(here.context, owner, "debug"));
    const { version } = await object.read(owner);
    for (let n = 0; n < 100; n += 1) value(await setLogLevel(here.context, owner, "debug"));
    expect((await object.read(owner)).version).toBe(version);
  });

  it("FT-08: an object that does not answer is waited for so long, then the request is refused", async () => {
    await readFacts(here.context, owner);
    here.clock.advance(limits.snapshotFresh_ms);
    const getByName = (): unknown => ({
      changes: () => new Promise(() => undefined),
      read: () => new Promise(() => undefined),
    });
    const deaf = await invocation({
      tenant: here.context.tenant.id,
      bindings: { SESSION: { ...env.SESSION, getByName } as never },
    });
    deaf.clock.advance(limits.snapshotFresh_ms);
    const checked = readFacts(deaf.context, owner);
    await deaf.clock.asleep(limits.snapshotCheck_ms);
    deaf.clock.advance(limits.snapshotCheck_ms);
    expect(codeOf(await checked)).toBe("unavailable session_unavailable");
    const first = readFacts(deaf.context, "session:unknown");
    await deaf.clock.asleep(limits.snapshotFirst_ms);
    deaf.clock.advance(limits.snapshotFirst_ms);
    expect(codeOf(await first)).toBe("unavailable session_unavailable");
  });

  it("FT-08: an object that fails refuses the request at once", async () => {
    const getByName = (): never => {
      throw new Error("Durable Object storage operation exceeded timeout");
    };
    const broken = await invocation({ bindings: { SESSION: { ...env.SESSION, getByName } as never } });
    expect(codeOf(await readFacts(broken.context, owner))).toBe("unavailable session_unavailable");
  });
});
