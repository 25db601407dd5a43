import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inspect, startSite, type Site } from "./peers.ts";

describe.each(["development", "enterprise"] as const)("the Inspector's command line in %s mode", (mode) => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite(mode);
  });
  afterAll(() => site.stop());

  describe.each([
    { path: "/mcp", prefix: "everything__", scheme: "gatehouse://everything/", era: "modern" as const },
    { path: "/mcp/everything", prefix: "", scheme: "", era: "auto" as const },
  ])("on $path ($era)", ({ path, prefix, scheme, era }) => {
    it("F3: lists and calls tools", async () => {
      const { tools } = (await inspect(site, path, era, ["--method", "tools/list"])) as { tools: { name: string }[] };
      expect(tools.map(({ name }) => name)).toContain(`${prefix}get-sum`);
      const call = ["--method", "tools/call", "--tool-name", `${prefix}get-sum`, "--tool-arg", "a=2", "b=3"];
      expect(await inspect(site, path, era, call)).toMatchObject({ content: [{ text: "The sum of 2 and 3 is 5." }] });
    });

    it("F3: reads resources and prompts", async () => {
      const { resources } = (await inspect(site, path, era, ["--method", "resources/list"])) as {
        resources: { uri: string }[];
      };
      const uri = resources.map((resource) => resource.uri).find((each) => each.startsWith(`${scheme}demo://`)) ?? "";
      expect(await inspect(site, path, era, ["--method", "resources/read", "--uri", uri])).toMatchObject({
        contents: [{ uri }],
      });
      const prompt = ["--method", "prompts/get", "--prompt-name", `${prefix}simple-prompt`];
      expect(await inspect(site, path, era, prompt)).toMatchObject({ messages: [{ role: "user" }] });
    });
  });
});
