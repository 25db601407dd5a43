import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, startSite, type Site } from "./peers.ts";

describe.each(["development", "enterprise"] as const)("the SDK v2 client in %s mode", (mode) => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite(mode);
  });
  afterAll(() => site.stop());

  it.each([{ negotiation: "auto" as const }, { negotiation: { pin: "2026-07-28" } }])(
    "F3: uses every kind of thing on the aggregate endpoint ($negotiation)",
    async ({ negotiation }) => {
      const client = await connect(site, "/mcp", negotiation);
      expect(client.getNegotiatedProtocolVersion()).toBe("2026-07-28");

      const { tools } = await client.listTools();
      const names = tools.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(["demo__add", "demo__book_room", "everything__echo"]));
      const sum = await client.callTool({ name: "demo__add", arguments: { a: 2, b: 3 } });
      expect(sum.structuredContent).toEqual({ sum: 5 });
      const echoed = await client.callTool({ name: "everything__echo", arguments: { message: "hi" } });
      expect(echoed.content).toEqual([{ type: "text", text: "Echo: hi" }]);

      const { prompts } = await client.listPrompts();
      expect(prompts.map(({ name }) => name)).toContain("everything__simple-prompt");
      const prompt = await client.getPrompt({ name: "everything__simple-prompt" });
      expect(prompt.messages).toHaveLength(1);

      const { resources } = await client.listResources();
      const document = resources.find(({ uri }) => uri.startsWith("gatehouse://everything/"));
      const read = await client.readResource({ uri: document?.uri ?? "" });
      expect(read.contents[0]?.uri).toBe(document?.uri);
      const { resourceTemplates } = await client.listResourceTemplates();
      expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toContain(
        "gatehouse://everything/demo://resource/dynamic/text/{resourceId}",
      );
      const completion = await client.complete({
        ref: { type: "ref/prompt", name: "everything__completable-prompt" },
        argument: { name: "department", value: "E" },
      });
      expect(completion.completion.values).toContain("Engineering");
      await client.close();
    },
  );

  it("F2, F4, R6: is transparent on the endpoints of a modern and of a 2025 server", async () => {
    const modern = await connect(site, "/mcp/demo", "auto");
    expect((await modern.listTools()).tools.map(({ name }) => name)).toContain("add");
    expect((await modern.callTool({ name: "status", arguments: { region: "eu" } })).isError).not.toBe(true);
    await modern.close();

    const legacy = await connect(site, "/mcp/everything", "auto");
    const progress: number[] = [];
    const worked = await legacy.callTool(
      { name: "trigger-long-running-operation", arguments: { duration: 1, steps: 2 } },
      { onprogress: (step) => progress.push(step.progress) },
    );
    expect(worked.isError).not.toBe(true);
    expect(progress).toEqual([1, 2]);
    await legacy.close();
  });

  it("F3: answers what a tool asks in the middle of a call, on both endpoints", async () => {
    for (const [path, prefix] of [
      ["/mcp/demo", ""],
      ["/mcp", "demo__"],
    ] as const) {
      const client = await connect(site, path, "auto");
      const booked = await client.callTool({ name: `${prefix}book_room`, arguments: { room: "Blue" } });
      expect(booked.content).toEqual([{ type: "text", text: "Booked Blue for 4." }]);
      await client.close();
    }
  });

  it("S1: the calls stand in the log with agent, server, tool, decision and outcome", async () => {
    const agent = mode === "development" ? "development" : expect.any(String);
    await expect
      .poll(async () => (await site.gatehouse.api("GET", "/events?method=tools/call&tool=add&limit=2")).body, {
        timeout: 10_000,
      })
      .toMatchObject({
        items: expect.arrayContaining([
          expect.objectContaining({
            type: "mcp.response",
            actor: expect.objectContaining({ agent }),
            target: expect.objectContaining({ server: "demo", name: "add" }),
            outcome: expect.objectContaining({ status: "ok" }),
          }),
        ]),
      });
  });
});
