/** The forms that names and URIs take on the aggregate: no two servers, kinds or names ever meet in one. */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { exposedName, isShortForm, parseName, type NamedKind } from "../../../src/gateway/catalog/names.ts";
import { parseUri, prefixUri } from "../../../src/gateway/catalog/uris.ts";
import { limits } from "../../../src/limits.ts";
import type { Json, JsonObject } from "../../../src/ports.ts";
import { encodeHeaderValue } from "../../../src/protocol/index.ts";
import { slugSchema } from "../../../src/registry/index.ts";
import {
  ask,
  createHarness,
  modernUpstream,
  objectAt,
  requestEvents,
  sent,
  setUp,
  type Asked,
  type Harness,
  type Tenant,
} from "./support.ts";

const runs = { seed: 20261121, numRuns: 300 };
const slugs = fc
  .stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/)
  .filter((slug) => slugSchema.safeParse(slug).success);
const parts = fc.constantFrom(
  "a",
  "_",
  "__",
  "-",
  ".",
  " ",
  "é",
  "𝒳",
  "search",
  "gatehouse://",
  "ui://",
  "/",
  "{x}",
  "%2F",
);
const texts = fc.oneof(
  fc.array(parts, { minLength: 1, maxLength: 30 }).map((all) => all.join("")),
  fc.string({ unit: "binary", minLength: 1 }),
);
const kinds = fc.constantFrom<NamedKind>("tool", "prompt");

describe("names", () => {
  it("F5: none is longer than the bound, and each is the same every time", async () => {
    await fc.assert(
      fc.asyncProperty(slugs, kinds, texts, async (slug, kind, name) => {
        const exposed = await exposedName(slug, kind, name);
        expect(exposed.length).toBeLessThanOrEqual(limits.exposedName_chars);
        expect(exposed).toBe(await exposedName(slug, kind, name));
        expect(parseName(exposed)?.slug).toBe(slug);
      }),
      runs,
    );
  });

  it("F5: different servers and names never meet", async () => {
    const things = fc.uniqueArray(fc.tuple(slugs, texts), { selector: (pair) => JSON.stringify(pair), maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(things, async (pairs) => {
        const exposed = await Promise.all(pairs.map(([slug, name]) => exposedName(slug, "tool", name)));
        expect(new Set(exposed).size).toBe(pairs.length);
      }),
      runs,
    );
  });

  it("F5: a long name is cut to exactly the bound, whatever characters it has", async () => {
    const long = fc.tuple(
      slugs,
      fc.array(parts, { minLength: 50, maxLength: 80 }).map((all) => all.join("")),
    );
    await fc.assert(
      fc.asyncProperty(long, async ([slug, name]) => {
        const exposed = await exposedName(slug, "tool", name);
        expect(exposed).toHaveLength(limits.exposedName_chars);
        expect(exposed).toMatch(/^[a-z0-9-]+__[A-Za-z0-9_.-]+_[a-z2-7]{8}$/);
        expect(isShortForm(exposed)).toBe(true);
      }),
      runs,
    );
  });

  it("F5: a short form is a part of the contract with clients that remember names", async () => {
    expect(await exposedName("up", "tool", "x".repeat(200))).toBe(`up__${"x".repeat(35)}_t3fcruru`);
    expect(await exposedName("up", "prompt", "x".repeat(200))).not.toBe(
      await exposedName("up", "tool", "x".repeat(200)),
    );
  });

  it("F5: with the prefix that Claude Code adds, every name has at most 64 characters", () => {
    expect("mcp__gatehouse__".length + limits.exposedName_chars).toBeLessThanOrEqual(64);
  });

  it.each([
    [45, 48, false],
    [46, 48, true],
  ])("F5: of a name with %i characters behind a slug of one comes one of %i", async (own, exposed, isShort) => {
    const name = "n".repeat(own);
    const given = await exposedName("a", "tool", name);
    expect(given).toHaveLength(exposed);
    expect(given !== `a__${name}`).toBe(isShort);
  });
});

describe("URIs", () => {
  it("MC-40: every URI comes back from its form, under its own server", () => {
    fc.assert(
      fc.property(slugs, texts, (slug, uri) => {
        expect(parseUri(prefixUri(slug, uri))).toEqual({ slug, name: uri });
      }),
      runs,
    );
  });

  it("MC-40: different servers and URIs never meet", () => {
    fc.assert(
      fc.property(slugs, texts, slugs, texts, (slug, uri, otherSlug, otherUri) => {
        fc.pre(slug !== otherSlug || uri !== otherUri);
        expect(prefixUri(slug, uri)).not.toBe(prefixUri(otherSlug, otherUri));
      }),
      runs,
    );
  });

  it.each([
    ["ui://widget/a.html", "ui://gatehouse/up/widget/a.html"],
    ["ui://gatehouse/other/x", "ui://gatehouse/up/gatehouse/other/x"],
    ["gatehouse://other/ui://x", "gatehouse://up/gatehouse://other/ui://x"],
    ["{scheme}://{+path}", "gatehouse://up/{scheme}://{+path}"],
    ["ui://{+path}", "ui://gatehouse/up/{+path}"],
  ])("F5: %s becomes %s", (uri, exposed) => {
    expect(prefixUri("up", uri)).toBe(exposed);
    expect(parseUri(exposed)).toEqual({ slug: "up", name: uri });
  });

  it("F5: a template whose scheme is an expression leads back, though it expands to a scheme with a form of its own", () => {
    const expanded = prefixUri("up", "{scheme}://{+path}").replace("{scheme}", "ui").replace("{+path}", "a/b");
    expect(parseUri(expanded)).toEqual({ slug: "up", name: "ui://a/b" });
  });
});

describe("calls by short form", () => {
  const long = "a_very_long_name_of_a_tool_that_no_client_takes_as_it_is";
  let harness: Harness;
  let tenant: Tenant;
  let token: string;
  let shortForm: string;
  let literal: string;

  const tool = (name: string): JsonObject => ({ name, inputSchema: { type: "object" } });

  beforeAll(async () => {
    harness = createHarness();
    tenant = await setUp(harness);
    shortForm = await exposedName("up", "tool", long);
    // A server that has, besides a tool with a long name, one whose own name is just what the other's short form would be.
    literal = (await exposedName("twin", "tool", long)).slice("twin__".length);
    const lists: Record<string, Json[]> = {
      up: [tool(long), tool("twice"), tool("twice"), tool("once")],
      twin: [tool(long), tool(literal), tool("other")],
      hidden: [tool(long)],
    };
    const ids: string[] = [];
    for (const [slug, tools] of Object.entries(lists)) {
      const id = await tenant.addServer(slug);
      if (slug !== "hidden") ids.push(id);
      harness.serve(
        `${slug}.upstream.test`,
        modernUpstream(({ message }) => (message["method"] === "tools/list" ? { tools } : { content: [] })),
      );
    }
    ({ token } = await tenant.addClient(ids));
  });

  const call = (name: string): Promise<Asked> =>
    ask(
      harness,
      `${tenant.origin}/mcp`,
      "tools/call",
      { name },
      { token, headers: { "mcp-name": encodeHeaderValue(name) } },
    );

  it("F5: the short form that is listed reaches the tool by its own name, and is recorded under it", async () => {
    expect((await call(shortForm)).message).toMatchObject({ result: { content: [] } });
    expect(sent(harness, "tools/call").at(-1)?.message["params"]).toMatchObject({ name: long });
    expect(requestEvents(harness).at(-1)?.target).toMatchObject({ server: "up", name: long });
  });

  it("F5: the whole prefixed name reaches it as well", async () => {
    expect((await call(`up__${long}`)).message).toMatchObject({ result: { content: [] } });
    expect(sent(harness, "tools/call").at(-1)?.message["params"]).toMatchObject({ name: long });
  });

  it("P5: the list has the short form, and neither of two tools that share one", async () => {
    const { message } = await ask(harness, `${tenant.origin}/mcp`, "tools/list", {}, { token });
    const tools = objectAt(message, "result")["tools"] as { name: string }[];
    expect(tools.map(({ name }) => name)).toEqual(["twin__other", shortForm, "up__once"]);
  });

  it.each([
    ["a short form that no tool has", () => `${shortForm.slice(0, -8)}aaaaaaaa`],
    ["a short form that equals another tool's own name", () => `twin__${literal}`],
    ["a short form of a hidden server", () => shortForm.replace("up__", "hidden__").slice(0, 48)],
    ["a name that its server lists twice", () => "up__twice"],
  ])("P5: %s is unknown, and no upstream sees the call", async (_case, nameOf) => {
    await ask(harness, `${tenant.origin}/mcp`, "tools/list", {}, { token });
    const before = sent(harness, "tools/call").length;
    expect((await call(nameOf())).message).toMatchObject({
      error: { code: -32602, message: `Unknown tool: ${nameOf()}` },
    });
    expect(sent(harness, "tools/call")).toHaveLength(before);
    expect(harness.seen.every(({ url }) => !url.includes("hidden"))).toBe(true);
  });
});
