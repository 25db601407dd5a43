import { afterAll, beforeAll, expect, it } from "vitest";
import { countOperations, type Counted } from "../../bench/operations.ts";
import { startUpstreams, type UpstreamProcess } from "../../bench/upstreams.ts";

let upstream: UpstreamProcess;
let counted: Counted;

beforeAll(async () => {
  upstream = await startUpstreams();
  counted = await countOperations(upstream.upstreams);
});

afterAll(() => upstream.peer.stop());

it("operations: a warm governed tools/call touches no storage and no Durable Object, and makes one subrequest and two audit sends", () => {
  expect(counted.warm).toEqual({ d1: 0, kv: 0, do: 0, queue: 2, subrequests: 1 });
});

it("operations: the call on which the configuration is due for its check asks one Durable Object and nothing else", () => {
  expect(counted.checking).toEqual({ d1: 0, kv: 0, do: 1, queue: 2, subrequests: 1 });
});

it("operations: a cold call loads the configuration, asks the upstream for its era and its tools, and stores what it learned, each once", () => {
  expect(counted.cold).toEqual({ d1: 1, kv: 6, do: 1, queue: 2, subrequests: 3 });
});

const sessionKinds = ["legacy", "legacyToModern"] as const;

it.each(sessionKinds)(
  "operations: a warm call in a session of 2025-11-25 costs what one of 2026-07-28 does (%s)",
  (kind) => {
    expect(counted[kind].warm).toEqual({ d1: 0, kv: 0, do: 0, queue: 2, subrequests: 1 });
  },
);

it.each(sessionKinds)(
  "operations: a call in a session asks two Durable Objects when both checks are due (%s)",
  (kind) => {
    expect(counted[kind].checking).toEqual({ d1: 0, kv: 0, do: 2, queue: 2, subrequests: 1 });
  },
);

it("operations: the first call to a server of 2025 of which nothing is stored reads its tools once, in a session of its own", () => {
  // initialize, initialized, tools/list, the call, and a DELETE behind it.
  expect(counted.legacy.cold).toEqual({ d1: 0, kv: 5, do: 0, queue: 2, subrequests: 5 });
});
