import { expect, it } from "vitest";
import { countOperations } from "../../bench/operations.ts";
import { startPeer } from "../../bench/peer.ts";
import type { UpstreamStart, UpstreamStarted } from "../../bench/upstream.ts";

it("operations: a warm governed tools/call reads no storage, asks no Durable Object, makes one subrequest and two audit sends", async () => {
  const upstream = startPeer<UpstreamStart, UpstreamStarted>(new URL("../../bench/upstream.ts", import.meta.url));
  try {
    const token = "credential-of-the-upstream";
    const { port } = await upstream.ask({ token }, 20_000);
    const operations = await countOperations(new URL(`http://127.0.0.1:${port}/mcp`), token);
    expect(operations).toEqual({ d1: 0, kv: 0, do: 0, queue: 2, subrequests: 1 });
  } finally {
    await upstream.stop();
  }
});
