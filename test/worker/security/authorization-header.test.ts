import { beforeAll, describe, expect, it } from "vitest";
import * as fc from "fast-check";
import { admitClient } from "../../../src/admission/index.ts";
import { sha256 } from "../../../src/sha256.ts";
import { limits } from "../../../src/limits.ts";
import { defaultSettings, type Snapshot, type Token } from "../../../src/tenant/index.ts";
import { modernPost } from "../gateway/support.ts";
import { ask, challengeOf, createWorld, echoUpstream, expectRefused, type World } from "./support.ts";

const url = "https://a.gw.test/mcp/up";
let world: World;
let token: string;

beforeAll(async () => {
  world = await createWorld();
  world.harness.serve("up.upstream.test", echoUpstream());
  await world.tenant.addServer("up");
  ({ token } = await world.tenant.addClient(["up"]));
});

/** A request with these Authorization headers, one header line each. */
function presenting(...values: string[]): RequestInit {
  const init = modernPost("tools/call", { name: "echo", arguments: {} });
  const headers = new Headers(init.headers);
  for (const value of values) headers.append("authorization", value);
  return { ...init, headers };
}

describe("the Authorization header", () => {
  it.each<[string, () => string[]]>([
    ["two headers, both good", () => [`Bearer ${token}`, `Bearer ${token}`]],
    ["two headers, the first good", () => [`Bearer ${token}`, "Bearer x"]],
    ["two headers, the second good", () => ["Basic eDp5", `Bearer ${token}`]],
    ["two tokens behind a comma", () => [`Bearer ${token},${token}`]],
    ["two tokens behind a space", () => [`Bearer ${token} ${token}`]],
    ["a tab behind the scheme", () => [`Bearer\t${token}`]],
    ["no space behind the scheme", () => [`Bearer${token}`]],
    ["a colon behind the scheme", () => [`Bearer: ${token}`]],
    ["quotes", () => [`Bearer "${token}"`]],
    ["a parameter behind the token", () => [`Bearer ${token}; a=b`]],
    ["the scheme twice", () => [`Bearer Bearer ${token}`]],
    ["the scheme alone", () => ["Bearer"]],
    ["the token alone", () => [token]],
    ["a control character in the token", () => [`Bearer ${token.slice(0, 9)}\u0001${token.slice(9)}`]],
    ["percent-encoding", () => [`Bearer ${token.replace("_", "%5F")}`]],
    ["more characters than are read", () => [`Bearer ${"A".repeat(limits.bearer_chars)}`]],
    ["Digest", () => [`Digest username="${token}"`]],
    ["DPoP", () => [`DPoP ${token}`]],
    ["Token", () => [`Token ${token}`]],
  ])("RS-03: %s is refused as malformed", async (_name, values) => {
    await expectRefused(world.harness, url, presenting(...values()), {
      status: 401,
      challenge: challengeOf("https://a.gw.test", "/mcp/up", "invalid_token"),
      event: ["auth.failed", "token_malformed"],
    });
  });

  it.each<[string, () => string]>([
    ["Basic with the token as password", () => `Basic ${btoa(`x:${token}`)}`],
    ["Basic alone", () => "Basic"],
    ["nothing", () => ""],
    ["spaces", () => "  "],
  ])("RS-03: %s is no bearer credential at all", async (_name, value) => {
    await expectRefused(world.harness, url, presenting(value()), {
      status: 401,
      challenge: challengeOf("https://a.gw.test", "/mcp/up"),
      event: ["auth.failed", "no_credential"],
    });
  });

  it.each(["Bearer", "bearer", "BEARER", "bEaReR"])("RS-03: the scheme %s is accepted", async (scheme) => {
    expect((await ask(world.harness, url, presenting(`${scheme} ${token}`))).status).toBe(200);
  });
});

/** A snapshot whose token table tells how it is asked. */
function spiedSnapshot(tokens: ReadonlyMap<string, Token>): { snapshot: Snapshot; asked: string[] } {
  const asked: string[] = [];
  const spied = new Proxy(tokens, {
    get(target, property) {
      if (property !== "get") throw new Error(`The table of tokens was asked for ${String(property)}.`);
      return (hash: string) => {
        asked.push(hash);
        return target.get(hash);
      };
    },
  });
  const client = { id: "c", name: "c", enabled: true, servers: new Set<string>() };
  const snapshot: Snapshot = {
    ...{ tenant: "t", version: 1, loaded_at: 0, initialised: true, settings: defaultSettings, servers: new Map() },
    clients: new Map([["c", client]]),
    tokens: spied,
    tokensById: new Map(),
    ...{ verificationKeys: new Map(), revocations: new Map(), revokedBefore: 0 },
  };
  return { snapshot, asked };
}

const door = { origin: "https://a.gw.test", path: "/mcp/up", renew: () => Promise.resolve(undefined) };
/** What looks like an access token is verified, not looked up. */
const isJws = (text: string): boolean => text.split(".").length > 2;

describe("the comparison of a token", () => {
  const known: Token = { id: "k", kind: "client", client_id: "c", expires_at: 1_000 };

  it("RS-12: is one look-up by SHA-256, whatever is presented", async () => {
    const good = "ghc_good";
    const table = new Map([[await sha256(good), known]]);
    const presented = fc.stringMatching(/^[A-Za-z0-9\-._~+/]{1,60}={0,2}$/).filter((text) => !isJws(text));
    await fc.assert(
      fc.asyncProperty(fc.oneof(presented, fc.constant(good)), async (value) => {
        const { snapshot, asked } = spiedSnapshot(table);
        const headers = new Headers({ authorization: `Bearer ${value}` });
        const admitted = await admitClient("enterprise", snapshot, headers, door, 0);
        expect(asked).toEqual([await sha256(value)]);
        expect(admitted.ok).toBe(value === good);
      }),
      { numRuns: 300, seed: 20261121 },
    );
  });

  it("RS-03: admits for no header but exactly one bearer token that is known", async () => {
    const table = new Map([[await sha256("good"), known]]);
    const text = fc.string({ unit: fc.constantFrom(..."Bearer good,;=\"'\tBasic-_".split("")), maxLength: 24 });
    await fc.assert(
      fc.asyncProperty(fc.oneof(text, fc.constant("Bearer good")), async (value) => {
        const { snapshot } = spiedSnapshot(table);
        const headers = new Headers({ authorization: value });
        const admitted = await admitClient("enterprise", snapshot, headers, door, 0);
        expect(admitted.ok).toBe(/^bearer +good$/i.test(headers.get("authorization") ?? ""));
      }),
      { numRuns: 500, seed: 20261121 },
    );
  });
});
