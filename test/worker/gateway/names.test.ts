/** Names and URIs of the aggregate endpoint: a bijection, whatever the servers call their things. */
import { beforeAll, describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../../src/ports.ts";
import { encodeHeaderValue } from "../../../src/protocol/index.ts";
import {
  ask,
  calls,
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

let harness: Harness;
let tenant: Tenant;
let token: string;

const long = "x".repeat(200);
/** The first 40 bits of SHA-256 over `["a","tool","xxx…"]`, by another implementation. */
const hashes = { a: "2yzmbs3z", b: "rujyibp2" };
const names = ["search", "Search", "b__c", "__proto__", "constructor", "../up", "a b", "sеarch", long, "_"];
const listable = names.map((name) => ({ name, inputSchema: { type: "object" } }));

beforeAll(async () => {
  harness = createHarness();
  tenant = await setUp(harness);
  for (const slug of ["a", "b", "hidden"]) {
    await tenant.addServer(slug);
    harness.serve(
      `${slug}.upstream.test`,
      modernUpstream(({ message }) => {
        if (message["method"] === "tools/list") return { tools: [...listable, { name: "" }, { name: 7 }, "odd"] };
        if (message["method"] === "resources/read") return { contents: [{ uri: String(uriOf(message)), text: slug }] };
        return { content: [{ type: "text", text: slug }] };
      }),
    );
  }
  ({ token } = await tenant.addClient(await idsOf("a", "b")));
});

async function idsOf(...slugs: string[]): Promise<string[]> {
  const { items } = (await (await tenant.api("GET", "/servers")).json()) as { items: { id: string; slug: string }[] };
  return items.filter(({ slug }) => slugs.includes(slug)).map(({ id }) => id);
}

const uriOf = (message: JsonObject): Json | undefined => objectAt(message, "params")["uri"];
const urlOf = (path = "/mcp"): string => tenant.origin + path;
const call = (name: string): Promise<Asked> =>
  ask(harness, urlOf(), "tools/call", { name }, { token, headers: { "mcp-name": encodeHeaderValue(name) } });
const readResource = (uri: string): Promise<Asked> =>
  ask(harness, urlOf(), "resources/read", { uri }, { token, headers: { "mcp-name": encodeHeaderValue(uri) } });

describe("tools of several servers", () => {
  it("TL-06: two servers with equal names are both listed, in the order of slugs", async () => {
    const { message } = await ask(harness, urlOf(), "tools/list", {}, { token });
    const tools = objectAt(message, "result")["tools"] as { name: string }[];
    expect(tools.map(({ name }) => name)).toEqual([
      ...names.map((name) => (name === long ? `a__${"x".repeat(36)}_${hashes.a}` : `a__${name}`)),
      ...names.map((name) => (name === long ? `b__${"x".repeat(36)}_${hashes.b}` : `b__${name}`)),
    ]);
  });

  it.each(["a", "b"])("TL-06: server %s is reached by its prefix, under the tool's own name", async (slug) => {
    const { message } = await call(`${slug}__search`);
    expect(message["result"]).toMatchObject({ content: [{ text: slug }] });
    expect(sent(harness, "tools/call").at(-1)?.message["params"]).toMatchObject({ name: "search" });
  });

  it.each(names)("TL-08: the tool %j is reached under its own name, letter by letter", async (name) => {
    const { status } = await call(`a__${name}`);
    expect(status).toBe(200);
    expect(sent(harness, "tools/call").at(-1)?.message["params"]).toMatchObject({ name });
  });

  it("TL-07: a tool b__c of server a is not the tool c of a server a__b", async () => {
    await call("a__b__c");
    const seen = sent(harness, "tools/call").at(-1);
    expect(new URL(seen?.url ?? "").hostname).toBe("a.upstream.test");
    expect(seen?.message["params"]).toMatchObject({ name: "b__c" });
  });

  it("TL-07: no server can have a slug with the separator in it", async () => {
    const refused = await tenant.api("POST", "/servers", { slug: "a__b", url: "https://x.upstream.test/mcp" });
    expect(refused.status).toBe(422);
  });

  it.each([
    ["without a prefix", "search"],
    ["with an empty slug", "__search"],
    ["with an empty name", "a__"],
    ["of an unknown server", "c__search"],
    ["of a hidden server", "hidden__search"],
    ["with a slug in other case", "A__search"],
    ["with a prototype's name as slug", "constructor__search"],
  ])("TL-08: a name %s is unknown, and no upstream sees it", async (_case, name) => {
    const before = calls(harness).length;
    const answered = await call(name);
    expect(answered).toMatchObject({
      status: 200,
      message: { error: { code: -32602, message: `Unknown tool: ${name}` } },
    });
    expect(calls(harness)).toHaveLength(before);
    expect(requestEvents(harness).at(-1)).toMatchObject({ decision: { effect: "deny" } });
  });
});

describe("resources of several servers", () => {
  it.each([
    "file:///etc/passwd",
    "file:///a/../b",
    "https://example.com/x?y#z",
    "gatehouse://b/file:///x",
    "urn:x:y",
    "ä://ö",
    "%2e%2e/",
  ])("MC-40: %s goes to the server of its namespace as it is", async (uri) => {
    const { message } = await readResource(`gatehouse://a/${uri}`);
    expect(message["result"]).toMatchObject({ contents: [{ uri: `gatehouse://a/${uri}`, text: "a" }] });
    const seen = sent(harness, "resources/read").at(-1);
    expect(new URL(seen?.url ?? "").hostname).toBe("a.upstream.test");
    expect(uriOf(seen?.message ?? {})).toBe(uri);
  });

  it.each([
    ["of no namespace", "file:///etc/passwd"],
    ["of a hidden server", "gatehouse://hidden/file:///a"],
    ["of an unknown server", "gatehouse://c/file:///a"],
    ["with no server", "gatehouse:///file:///a"],
    ["with no path", "gatehouse://a"],
    ["with the scheme in capitals", "GATEHOUSE://a/file:///a"],
    ["that climbs out of its server", "gatehouse://../b/file:///a"],
    ["with a user before the server", "gatehouse://x@a/file:///a"],
  ])("MC-40: a URI %s is unknown, and no upstream sees it", async (_case, uri) => {
    const before = calls(harness).length;
    const answered = await readResource(uri);
    expect(answered.message).toMatchObject({ error: { code: -32602, message: `Unknown resource: ${uri}` } });
    expect(calls(harness)).toHaveLength(before);
    expect(requestEvents(harness).at(-1)).toMatchObject({ decision: { effect: "deny" } });
  });

  it("MC-40: a URI of 64 KB is refused before it is routed", async () => {
    const before = calls(harness).length;
    const answered = await readResource(`gatehouse://a/${"x".repeat(65_536)}`);
    expect(answered).toMatchObject({ status: 400, message: { error: { code: -32602 } } });
    expect(calls(harness)).toHaveLength(before);
  });

  it("MC-40: the log keeps no query of a URI, which may hold a secret", async () => {
    await readResource("gatehouse://a/https://example.com/x?token=canary-query#canary-fragment");
    expect(JSON.stringify(harness.events)).not.toContain("canary-");
    expect(requestEvents(harness).at(-1)).toMatchObject({ target: { name: "https://example.com/x", server: "a" } });
  });
});
