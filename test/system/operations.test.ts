import { afterAll, beforeAll, expect, it } from "vitest";
import { countOperations, type Counted } from "../../bench/operations.ts";
import { startPeer } from "../../bench/peer.ts";
import type { UpstreamStart, UpstreamStarted } from "../../bench/upstream.ts";

const upstream = startPeer<UpstreamStart, UpstreamStarted>(new URL("../../bench/upstream.ts", import.meta.url));
let counted: Counted;

beforeAll(async () => {
  const token = "credential-of-the-upstream";
  const { port } = await upstream.ask({ token }, 60_000);
  counted = await countOperations(new URL(`http://127.0.0.1:${port}/mcp`), token);
});

afterAll(() => upstream.stop());

it("operations: a warm governed tools/call touches no storage and no Durable Object, and makes one subrequest and two audit sends", () => {
  expect(counted.warm).toEqual({ d1: 0, kv: 0, do: 0, queue: 2, subrequests: 1 });
});

it("operations: the call on which the configuration is due for its check asks one Durable Object and nothing else", () => {
  expect(counted.checking).toEqual({ d1: 0, kv: 0, do: 1, queue: 2, subrequests: 1 });
});

it("operations: a cold call loads the configuration once and asks the upstream for its era and its tools once", () => {
  expect(counted.cold).toEqual({ d1: 1, kv: 2, do: 1, queue: 2, subrequests: 3 });
});
