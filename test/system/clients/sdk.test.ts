import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { textOf } from "./capabilities.ts";
import { startSite, withPeer, type Site } from "./peers.ts";
import { clientKinds, sdkV1, sdkV2, sdkV2Auto } from "./sdk-clients.ts";

/** Development mode, where no client has a token; enterprise mode is the matrix. */
let site: Site;
beforeAll(async () => {
  site = await startSite("development");
});
afterAll(() => site.stop());

const endpoints = [
  { path: "/mcp", prefix: "demo__" },
  { path: "/mcp/demo", prefix: "" },
];

describe.each(endpoints)("the demo server on $path", ({ path, prefix }) => {
  it.each(clientKinds)("R6, F4: gives structured content to $client", (kind) =>
    withPeer(kind, site.door(path), async (peer) => {
      const result = await peer.call(`${prefix}add`, { a: 2, b: 3 });
      expect(result["structuredContent"]).toEqual({ sum: 5 });
    }),
  );

  it("F3: answers what a tool asks in the middle of a call", () =>
    withPeer(sdkV2Auto, site.door(path), async (peer) => {
      expect(textOf(await peer.call(`${prefix}book_room`, { room: "Blue" }))).toBe("Booked Blue for 4.");
    }));

  it("S1: the calls stand in the log with agent, server, tool, decision and outcome", async () => {
    const events = async (): Promise<unknown> =>
      (await site.gatehouse.api("GET", "/events?method=tools/call&tool=add&limit=2")).body;
    await expect.poll(events, { timeout: 10_000 }).toMatchObject({
      items: expect.arrayContaining([
        expect.objectContaining({
          type: "mcp.response",
          actor: expect.objectContaining({ agent: "development" }),
          target: expect.objectContaining({ server: "demo", name: "add" }),
          outcome: expect.objectContaining({ status: "ok" }),
        }),
      ]),
    });
  });
});

describe("what is agreed on at the beginning", () => {
  it.each(clientKinds)("F1, F4: $client finds the era that it knows", (kind) =>
    withPeer(kind, site.door("/mcp"), async (peer) => {
      expect(peer.version()).toMatch(kind.era === "modern" ? /^2026-07-28$/ : /^2025-/);
    }),
  );

  it.each([sdkV1, sdkV2])("F3: tasks are offered to $client on the endpoint of a server that has them", (kind) =>
    withPeer(kind, site.door("/mcp/everything"), async (peer) => {
      expect(peer.client.getServerCapabilities()).toMatchObject({ tasks: { list: {}, cancel: {} } });
    }),
  );
});

describe("a task of 2025-11-25 that asks", () => {
  it("F3: gets its answer over tasks/result, and the result", () =>
    withPeer(sdkV1, site.door("/mcp"), async (peer) => {
      const { task } = (await peer.request("tools/call", {
        name: "everything__simulate-research-query",
        arguments: { topic: "python", ambiguous: true },
        task: { ttl: 60_000 },
      })) as { task: { taskId: string } };
      const result = await peer.request("tasks/result", { taskId: task.taskId });
      expect(peer.asked).toContain("elicitation/create");
      expect(textOf(result)).toContain("# Research Report: python");
    }));
});
