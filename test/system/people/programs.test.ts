/** mcp-remote and the Inspector sign a person in through the browser and call tools. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { freePort } from "../../../scripts/lib/network.ts";
import { connectRemote, runInspector } from "./programs.ts";
import { agentIds, callsOf, inventoryOf } from "./seen.ts";
import { leaksOf, plainTool, startSite, type Site } from "./site.ts";
import { travel, type Journey } from "./travel.ts";

let site: Site;
let directory: string;
beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site.dispose());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "gatehouse-people-"));
});
afterEach(() => {
  for (const token of keptTokens(directory)) site.secrets.add(token);
  rmSync(directory, { recursive: true });
});

/** Whatever a program keeps that looks like one of our tokens. */
function keptTokens(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
  const texts = files.filter((file) => statSync(file).isFile()).map((file) => readFileSync(file, "utf8"));
  return texts.flatMap((text) =>
    [...text.matchAll(/"(?:access|refresh)_token":\s*"([^"]+)"/g)].map(([, one = ""]) => one),
  );
}

async function byBen(url: URL): Promise<Journey> {
  const context = await site.browser.newContext();
  const journey = await travel(site, context, url, { person: "ben" });
  await context.close();
  return journey;
}

/** The program that has just appeared is known with its person, and so is its call. */
async function expectSeen(known: readonly string[], path: string): Promise<void> {
  const [id = "", another] = (await agentIds(site)).filter((one) => !known.includes(one));
  expect(another).toBeUndefined();
  const [event] = await callsOf(site, id);
  expect(event).toMatchObject({
    actor: { agent: id, user_email: "ben@example.test" },
    target: { endpoint: path, server: "tickets", name: plainTool.name },
  });
  const seen = await inventoryOf(site, id);
  expect(seen.owner?.email).toBe("ben@example.test");
  expect(seen.uses).toContainEqual(expect.objectContaining({ server: "tickets", calls: 1 }));
}

const places = [
  { path: "/mcp", tool: `tickets__${plainTool.name}` },
  { path: "/mcp/tickets", tool: plainTool.name },
];

describe.each(places)("on $path", ({ path, tool }) => {
  it("A1, A5, S10: mcp-remote", async () => {
    const known = await agentIds(site);
    const journeys: Journey[] = [];
    const go = async (url: URL): Promise<void> => void journeys.push(await byBen(url));
    const client = await connectRemote(site.endpoint(path), directory, go);
    expect(journeys).toMatchObject([{ asked: ["who", "consent"] }]);
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain(tool);
    expect(await client.callTool({ name: tool, arguments: {} })).toMatchObject({
      content: [{ text: expect.stringContaining(plainTool.says) }],
    });
    await client.close();
    await expectSeen(known, path);
  });

  it("A1, A5, S10: the Inspector's command line", async () => {
    const known = await agentIds(site);
    const url = site.endpoint(path);
    const callback = `http://127.0.0.1:${await freePort()}/oauth/callback`;
    const list = await runInspector(url, directory, callback, ["--method", "tools/list"], byBen);
    expect([list.code, list.stderr.includes("rror")]).toEqual([0, false]);
    expect(JSON.parse(list.stdout)).toMatchObject({
      tools: expect.arrayContaining([expect.objectContaining({ name: tool })]),
    });
    const call = ["--method", "tools/call", "--tool-name", tool];
    const answer = await runInspector(url, directory, callback, call, undefined);
    expect([answer.code, answer.stderr]).toEqual([0, ""]);
    expect(JSON.parse(answer.stdout)).toMatchObject({ content: [{ text: expect.stringContaining(plainTool.says) }] });
    await expectSeen(known, path);
  });
});

it("AU-20, S8, U11: none of the tokens that the programs keep is in a log, on a page or in anything that is stored", () => {
  expect(site.secrets.size).toBeGreaterThan(5);
  expect(leaksOf(site)).toEqual([]);
});
