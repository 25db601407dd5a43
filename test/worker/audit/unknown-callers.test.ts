import { describe, expect, it } from "vitest";
import { createUnknownCallers, networkPrefix, type AuditEvent, type Recorder } from "../../../src/audit/index.ts";
import { failure } from "../../../src/errors.ts";
import { limits } from "../../../src/limits.ts";
import { err, ok } from "../../../src/ports.ts";
import { idAt, start, testClock, type TestClock } from "./support.ts";

interface Door {
  readonly clock: TestClock;
  readonly events: AuditEvent[];
  readonly waited: Promise<unknown>[];
  fail: boolean;
  knock(address?: string, more?: { tenant?: string; reason?: string }): void;
  /** Lets the window end and its events be recorded. */
  endWindow(): Promise<void>;
}

function door(): Door {
  const clock = testClock();
  const callers = createUnknownCallers();
  const recorder: Recorder = {
    async record(event) {
      if (self.fail) return err(failure("audit_unavailable"));
      self.events.push(event);
      return ok(undefined);
    },
  };
  const self: Door = {
    clock,
    events: [],
    waited: [],
    fail: false,
    knock(address = "192.0.2.7", { tenant = "a", reason = "unknown_token" } = {}) {
      const random = { uuid: () => idAt(clock.time) };
      callers.count(
        { tenant, reason, address },
        { clock, recorder, random, waitUntil: (promise) => self.waited.push(promise) },
      );
    },
    async endWindow() {
      await clock.advance(limits.unknownCallers_ms);
      await Promise.all(self.waited.splice(0));
    },
  };
  return self;
}

const summed = (event: AuditEvent | undefined): unknown =>
  event?.type === "auth.failed" ? [event.tenant, event.reason, event.network, event.count] : event;

describe("S2 unknown callers", () => {
  it("S2: failures of one window are one event", async () => {
    const { knock, endWindow, events } = door();
    for (let count = 0; count < 1000; count += 1) knock(`192.0.2.${count % 256}`);
    await endWindow();
    expect(events).toMatchObject([
      {
        type: "auth.failed",
        tenant: "a",
        actor: {},
        network: "192.0.2.0/24",
        count: 1000,
        window_ms: limits.unknownCallers_ms,
        time: start + limits.unknownCallers_ms,
      },
    ]);
  });

  it("S2: tenant, reason and network are counted apart", async () => {
    const { knock, endWindow, events } = door();
    knock();
    knock("198.51.100.1");
    knock(undefined, { tenant: "b" });
    knock(undefined, { reason: "expired" });
    await endWindow();
    expect(events.map(summed)).toEqual([
      ["a", "unknown_token", "192.0.2.0/24", 1],
      ["a", "unknown_token", "198.51.100.0/24", 1],
      ["b", "unknown_token", "192.0.2.0/24", 1],
      ["a", "expired", "192.0.2.0/24", 1],
    ]);
  });

  it("S2: only the first failure of a window waits", () => {
    const { knock, waited } = door();
    for (let count = 0; count < 50; count += 1) knock();
    expect(waited).toHaveLength(1);
  });

  it("S2: nothing is recorded before the window ends, or when nobody failed", async () => {
    const { clock, knock, endWindow, events } = door();
    knock();
    await clock.advance(limits.unknownCallers_ms - 1);
    expect(events).toEqual([]);
    await endWindow();
    await endWindow();
    expect(events).toHaveLength(1);
  });

  it("S2: the next failure opens the next window", async () => {
    const { knock, endWindow, events } = door();
    knock();
    await endWindow();
    knock();
    await endWindow();
    expect(events.map(summed)).toEqual(Array(2).fill(["a", "unknown_token", "192.0.2.0/24", 1]));
  });

  it("S2: networks past the bound are one event for each tenant, and every failure is counted", async () => {
    const { knock, endWindow, events } = door();
    for (let count = 0; count < limits.unknownCallers_count + 30; count += 1)
      knock(`2001:db8:${count.toString(16)}::1`);
    knock(undefined, { tenant: "b" });
    await endWindow();
    expect(events).toHaveLength(limits.unknownCallers_count + 2);
    expect(events.slice(-2).map(summed)).toEqual([
      ["a", "many", "many", 30],
      ["b", "many", "many", 1],
    ]);
  });

  it("S5: counts that could not be recorded stay counted", async () => {
    const self = door();
    self.fail = true;
    self.knock();
    await self.endWindow();
    self.fail = false;
    self.knock();
    await self.endWindow();
    expect(self.events.map(summed)).toEqual([["a", "unknown_token", "192.0.2.0/24", 2]]);
  });

  it("S5: a window whose invocation was ended is taken over", async () => {
    const { clock, knock, endWindow, events, waited } = door();
    knock();
    // The platform ends the invocation: its wait never returns.
    waited.splice(0);
    clock.time += 2 * limits.unknownCallers_ms;
    knock();
    expect(waited).toHaveLength(1);
    await endWindow();
    expect(events.map(summed)).toEqual([["a", "unknown_token", "192.0.2.0/24", 2]]);
  });
});

describe("S2 networks", () => {
  it.each([
    ["192.0.2.255", "192.0.2.0/24"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"],
    ["2001:DB8::1", "2001:db8:0::/48"],
    ["::1", "0:0:0::/48"],
    ["::ffff:192.0.2.7", "192.0.2.0/24"],
    ["::ffff:c000:207", "192.0.2.0/24"],
    ["256.1.1.1", "unknown"],
    ["192.0.2", "unknown"],
    ["1:2", "unknown"],
    ["::1]@evil", "unknown"],
    ["", "unknown"],
    [undefined, "unknown"],
  ])("S2: the network of %j is %j", (address, network) => {
    expect(networkPrefix(address)).toBe(network);
  });
});
