import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import {
  addSubscription,
  claimUpstream,
  endSession,
  keepEvents,
  newOwner,
  openLine,
  readFacts,
  sendToLine,
  setLogLevel,
  storeUpstream,
} from "../../../src/session/index.ts";
import { OwnerRows } from "../../../src/session/owner-rows.ts";
import { limits } from "../../../src/limits.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";
import {
  invocation,
  objectOf,
  otherIsolate,
  setClock,
  sibling,
  start,
  upstream,
  value,
  type Invocation,
} from "./support.ts";

const tables = [
  ...["owners", "log_levels", "subscriptions", "upstream_sessions", "leases"],
  ...["lines", "mailbox", "kept_streams", "kept_events"],
];
let here: Invocation;
let owner: string;
let inside: VirtualClock;

beforeEach(async () => {
  here = await invocation();
  owner = newOwner(systemPorts.random);
  inside = new VirtualClock(start);
  await setClock(objectOf(here.context, owner), inside);
});

const rows = (): Promise<Record<string, number>> =>
  runInDurableObject(objectOf(here.context, owner), (_instance, { storage }) => {
    const counts = tables.map((table): [string, number] => [
      table,
      storage.sql.exec(`SELECT 1 FROM ${table}`).toArray().length,
    ]);
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  });
const alarm = (): Promise<number | null> =>
  runInDurableObject(objectOf(here.context, owner), (_instance, { storage }) => storage.getAlarm());

/** Lets alarms fire until none is due before `until`. @returns how many did */
async function runTo(until: number): Promise<number> {
  let fired = 0;
  for (let at = await alarm(); at !== null && at <= until; at = await alarm()) {
    inside.advance(at - inside.now());
    await runDurableObjectAlarm(objectOf(here.context, owner));
    fired += 1;
  }
  inside.advance(Math.max(0, until - inside.now()));
  return fired;
}

describe("what is expired goes", () => {
  it("RX-15: of everything that a session left, nothing is there after its life", async () => {
    value(await setLogLevel(here.context, owner, "debug"));
    value(await addSubscription(here.context, owner, { server_id: "s1", uri: "file:///a" }));
    const claim = value(await claimUpstream(here.context, owner, { id: "s1", revision: 1 }));
    value(await storeUpstream(here.context, owner, claim.kind === "open" ? claim.lease : "", upstream()));
    value(await claimUpstream(here.context, owner, { id: "abandoned", revision: 1 }));
    value(await keepEvents(here.context, owner, "st", [{ seq: 1, text: "e" }], false));
    value(await sendToLine(here.context, owner, { kind: "cancelled", request_id: 1, params: {} }));
    expect(Object.keys(await rows())).toHaveLength(tables.length - 1);
    const fired = await runTo(start + limits.session_ms - 1);
    expect(await rows()).toEqual({ owners: 1, log_levels: 1, subscriptions: 1, upstream_sessions: 1 });
    await runTo(start + 2 * limits.session_ms);
    expect([await rows(), await alarm()]).toEqual([{}, null]);
    expect(fired).toBeLessThan(10);
  });

  it("F7: a tombstone stands for as long as the id could open, by either clock, and then goes", async () => {
    const expires_at = start + limits.session_ms + 3_600_000;
    value(await endSession(here.context, owner, expires_at));
    await runTo(expires_at - 1);
    expect(await rows()).toEqual({ owners: 1 });
    await runTo(expires_at + 2 * limits.sessionSweep_ms);
    expect([await rows(), await alarm()]).toEqual([{}, null]);
  });

  it("F7: a tombstone does not go early where the Worker's clock is behind", async () => {
    value(await endSession(here.context, owner, start - 1));
    await runTo(start + limits.session_ms - 1);
    expect(await rows()).toEqual({ owners: 1 });
  });

  it("what is known of a principal goes a day after its last change, and every isolate learns of it", async () => {
    const principal = "principal:client:c1";
    await setClock(objectOf(here.context, principal), inside);
    owner = principal;
    const claim = value(await claimUpstream(here.context, principal, { id: "s1", revision: 1 }));
    value(await storeUpstream(here.context, principal, claim.kind === "open" ? claim.lease : "", upstream()));
    await runTo(start + limits.principalFacts_ms - 1);
    expect(Object.keys(await rows())).toEqual(["owners", "upstream_sessions"]);
    here.clock.advance(limits.snapshotFresh_ms);
    expect(value(await readFacts(here.context, principal)).upstreams).toHaveLength(1);
    await runTo(start + limits.principalFacts_ms + 2 * limits.sessionSweep_ms);
    expect(await rows()).toEqual({});
    here.clock.advance(limits.snapshotFresh_ms);
    expect(value(await readFacts(here.context, principal)).upstreams).toEqual([]);
    // And a change after that is still learned.
    value(await otherIsolate.setLogLevel(here.context, principal, "debug"));
    here.clock.advance(limits.snapshotFresh_ms);
    expect(value(await readFacts(here.context, principal)).log_level).toBe("debug");
  });

  it("RX-15: those of ended sessions take no room of living ones, before and after they go", async () => {
    const rows = await runInDurableObject(objectOf(here.context, owner), (_instance, { storage }) => {
      const { sql } = storage;
      const tombstones = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
        INSERT INTO owners SELECT 'session:' || i, 1, 1, ? FROM n`;
      sql.exec(tombstones, limits.ownersPerShard_count - 1, start + 1);
      sql.exec("INSERT INTO owners VALUES ('session:living', 0, 1, ?)", 2 * start);
      const owners = new OwnerRows(sql);
      const write = (name: string): string => owners.setLogLevel(name, "debug", start).kind;
      const written = [write("session:a"), write("session:b")];
      owners.end("session:a", start, start);
      owners.sweep(start + 1);
      return [...written, write("session:c")];
    });
    expect(rows).toEqual(["written", "written", "written"]);
  }, 60_000);

  it("a line that is open is not forgotten, however old", async () => {
    const line = value(await openLine(here.context, owner, { role: "stream" }));
    await runTo(start + 3 * limits.lineCheck_ms);
    expect(await rows()).toEqual({ lines: 1 });
    value(await sendToLine(here.context, owner, { kind: "changed" }));
    expect(await line.next()).toEqual({ kind: "changed" });
    line.close();
  });

  it("RX-15: more than one alarm clears goes in the next ones", async () => {
    const object = objectOf(here.context, owner);
    await runInDurableObject(object, async (instance) => {
      for (let n = 0; n <= limits.sessionSweep_count; n += 1) await instance.setLogLevel(`session:n${n}`, "debug");
    });
    expect(await runTo(start + limits.session_ms + 10 * limits.sessionSweep_ms)).toBeGreaterThan(1);
    expect([await rows(), await alarm()]).toEqual([{}, null]);
  });

  it("FT-14: an alarm that fires early or twice changes nothing", async () => {
    value(await setLogLevel(here.context, owner, "debug"));
    value(await setLogLevel(here.context, sibling(here.context, owner), "debug"));
    const before = await rows();
    await runDurableObjectAlarm(objectOf(here.context, owner));
    await runDurableObjectAlarm(objectOf(here.context, owner));
    expect(await rows()).toEqual(before);
    expect(await alarm()).not.toBeNull();
  });
});
