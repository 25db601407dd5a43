/** Strangers at a passthrough server, all of whom are one principal: what one of them has is not the others'. */
import { beforeEach, describe, expect, it } from "vitest";
import { ask, modernUpstream } from "../gateway/support.ts";
import {
  createPassthroughWorld,
  passthrough,
  pathOf,
  type PassthroughWorld,
} from "../admission/passthrough-support.ts";

let world: PassthroughWorld;

beforeEach(async () => {
  world = await createPassthroughWorld();
  await world.add("open", passthrough({ anonymous: "allow" }));
});

const as = (credential: string) => ({ headers: { authorization: `Bearer ${credential}` } });

describe("the state that a client carries for a server", () => {
  it("MC-26, A6: of the holder of one credential is not sent on with another credential", async () => {
    world.harness.serve(
      "open.upstream.test",
      modernUpstream((seen) => {
        if (seen.message["method"] === "tools/list") return { tools: [], ttlMs: 0, cacheScope: "private" };
        const question = { method: "elicitation/create", params: { mode: "form", message: "?", requestedSchema: {} } };
        return { resultType: "input_required", inputRequests: { q: question }, requestState: "state-of-carol" };
      }),
    );
    const meta = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "c", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": { elicitation: { form: {} } },
    };
    const params = { _meta: meta, name: "pay", arguments: { a: 1 } };
    const first = await ask(world.harness, pathOf("open"), "tools/call", params, as("carol"));
    const requestState =
      (first.message["result"] as Record<string, string> | undefined)?.["requestState"] ?? first.text;
    const before = world.harness.seen.length;
    const inputResponses = { q: { action: "accept", content: {} } };
    const again = { ...params, requestState, inputResponses };
    await ask(world.harness, pathOf("open"), "tools/call", again, as("mallory"));
    expect(first.text).toContain("requestState");
    const sent = world.harness.seen.slice(before).map(({ text }) => text);
    expect(sent.join(" ")).not.toContain("state-of-carol");
  });
});
