import * as fc from "fast-check";
import { calculatePKCECodeChallenge } from "oauth4webapi";
import { describe, expect, it } from "vitest";
import { authorizationUrl, redeem, resolveParty, scopesFor } from "../../../../src/connections/oauth/index.ts";
import type { Challenge, Party } from "../../../../src/connections/types.ts";
import { createUsual, errorOf, resourceServer, serverOf, valueOf, type FakeServer, type World } from "./support.ts";

const redirect_uri = "https://a.gw.test/connect/callback";
const party: Party = {
  ...{
    issuer: "https://as.test",
    token_endpoint: "https://as.test/token",
    authorization_endpoint: "https://as.test/authorize",
  },
  ...{ client_id: "c", client_authentication: "none", secret: {}, names_issuer: true, how: "configured" },
  ...{ resource: "https://mcp.up.test/mcp", redirect_uri },
};
const verifier = "canary-verifier-0123456789-0123456789-0123456789";
const asked = { state: "canary-state", verifier, scopes: ["a", "b"] };

const parametersOf = async (subject: Party, more = {}): Promise<Record<string, string>> =>
  Object.fromEntries((await authorizationUrl(subject, { ...asked, ...more })).searchParams);

describe("the authorization request", () => {
  it("RFC 6749 section 4.1.1, RFC 7636, RFC 8707: has everything that binds it", async () => {
    expect(await parametersOf(party)).toEqual({
      ...{ response_type: "code", client_id: "c", redirect_uri, state: "canary-state", scope: "a b" },
      ...{ code_challenge: await calculatePKCECodeChallenge(verifier), code_challenge_method: "S256" },
      resource: "https://mcp.up.test/mcp",
    });
  });

  it("UP-08: sends the resource byte for byte as published", async () => {
    expect(await parametersOf({ ...party, resource: "https://mcp.up.test" })).toMatchObject({
      resource: "https://mcp.up.test",
    });
  });

  it("sends none where an administrator says so, and no scope where nothing is known", async () => {
    const parameters = await parametersOf({ ...party, resource: null }, { scopes: [] });
    expect(Object.keys(parameters)).not.toContain("resource");
    expect(Object.keys(parameters)).not.toContain("scope");
  });

  it("takes an administrator's parameters, and none that would change ours", async () => {
    const evil = ["response_type", "response_mode", "client_id", "redirect_uri", "state", "scope", "resource"];
    const more = [...evil, "code_challenge", "code_challenge_method", "request", "request_uri"];
    const parameters = { access_type: "offline", ...Object.fromEntries(more.map((name) => [name, "evil"])) };
    const sent = await parametersOf(party, { parameters });
    expect(sent).toEqual({ ...(await parametersOf(party)), access_type: "offline" });
  });

  it("keeps the query of the endpoint, but for ours", async () => {
    const url =
      "https://as.test/authorize?p=flow&client_id=evil&redirect_uri=https://evil.test&redirect_uri=https://evil.test";
    const sent = await authorizationUrl({ ...party, authorization_endpoint: url }, asked);
    expect(sent.searchParams.get("p")).toBe("flow");
    expect(sent.searchParams.getAll("redirect_uri")).toEqual([redirect_uri]);
    expect(sent.searchParams.getAll("client_id")).toEqual(["c"]);
  });

  it("OpenID Connect Core 1.0 section 11: asks for consent where offline_access needs it", async () => {
    const offline = { ...party, scopes_supported: ["a", "offline_access"] };
    expect(await parametersOf(offline, { scopes: ["a", "offline_access"] })).toMatchObject({ prompt: "consent" });
    expect(await parametersOf(offline)).not.toHaveProperty("prompt");
    expect(await parametersOf(party, { scopes: ["a", "offline_access"] })).not.toHaveProperty("prompt");
    const parameters = { prompt: "select_account" };
    expect(await parametersOf(offline, { scopes: ["offline_access"], parameters })).toMatchObject(parameters);
  });

  it("never changes ours, whatever is added", async () => {
    const plain = await parametersOf(party);
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.stringMatching(/^[a-z_]{1,20}$/), fc.string()), async (parameters) => {
        expect(await parametersOf(party, { parameters })).toMatchObject(plain);
      }),
    );
  });
});

describe("scopes", () => {
  const cases: readonly (readonly [
    name: string,
    configured: string[] | undefined,
    challenged: string | undefined,
    supported: string[] | undefined,
    asked: string | undefined,
    wanted: string,
  ])[] = [
    ["an administrator's first", ["x"], "c", ["s"], undefined, "x"],
    ["an administrator who wants none", [], "c", ["s"], undefined, ""],
    ["then the challenge's", undefined, "c d", ["s"], undefined, "c d"],
    ["then all that are supported", undefined, undefined, ["s", "t"], undefined, "s t"],
    ["else none", undefined, undefined, undefined, undefined, ""],
    ["offline_access where it is listed", undefined, "c", ["s", "offline_access"], undefined, "c offline_access"],
    ["offline_access only where it is listed", undefined, "c offline_access", ["s"], undefined, "c"],
    ["offline_access not alone", undefined, undefined, ["offline_access"], undefined, ""],
    ["an administrator's without offline_access", ["x"], undefined, ["offline_access"], undefined, "x"],
    ["SEP-2350: what was asked before and what is wanted now", undefined, "new", ["s"], "old", "old new"],
    [
      "SEP-2350: each once",
      undefined,
      "old new",
      ["s", "offline_access"],
      "old offline_access",
      "old new offline_access",
    ],
    ["SEP-2350: with an administrator's", ["x"], "new", ["s"], "old", "x old new"],
    ["no characters that are none of a scope", undefined, 'a"b c\\d é e', undefined, undefined, "e"],
  ];
  for (const [name, configured, challenged, supported, step, wanted] of cases) {
    it(`${name}`, async () => {
      const world = await shared();
      const server = await serverOf(world, {
        type: "oauth",
        ...(configured === undefined ? {} : { scopes: configured }),
      });
      const subject = supported === undefined ? party : { ...party, scopes_supported: supported };
      const challenge: Challenge | undefined = challenged === undefined ? undefined : { scope: challenged };
      expect(scopesFor(server, subject, challenge, step).join(" ")).toBe(wanted);
    });
  }

  it("SEP-2207: offline_access comes from the authorization server's list, not the resource's", async () => {
    const world = await createUsual();
    world.provider.metadata = { scopes_supported: ["mcp:basic", "offline_access", "other"] };
    const at = { authorization_servers: ["https://as.test"] };
    const server = await serverOf(world, { type: "oauth" });
    const scopes = async (): Promise<string> =>
      scopesFor(server, valueOf(await resolveParty(world.base, server))).join(" ");
    world.serve("https://mcp.up.test", resourceServer({ ...at, scopes_supported: ["mcp:basic"] }));
    expect(await scopes()).toBe("mcp:basic offline_access");
    world.provider.metadata = { scopes_supported: ["mcp:basic"] };
    world.serve("https://mcp.up.test", resourceServer({ ...at, scopes_supported: ["mcp:basic", "offline_access"] }));
    expect(await scopes()).toBe("mcp:basic");
    world.serve("https://mcp.up.test", resourceServer(at));
    expect(await scopes()).toBe("");
  });
});

let kept: (World & { readonly provider: FakeServer }) | undefined;
async function shared(): Promise<World & { readonly provider: FakeServer }> {
  kept ??= await createUsual();
  kept.sent.length = 0;
  kept.provider.tokenRequests.length = 0;
  return kept;
}

const answer = (parameters: Record<string, string> | string[][]) => ({
  parameters: new URLSearchParams(parameters),
  ...{ state: "canary-state", verifier, redirect_uri },
});

const silent: Party = { ...party, names_issuer: false };
const unknown: Party = {
  ...silent,
  issuer: silent.token_endpoint,
  authorization_endpoint: "https://accounts.test/auth",
};
const right = { code: "canary-code", state: "canary-state", iss: "https://as.test" };
const unnamed = { code: "canary-code", state: "canary-state" };

describe("UP-10, RFC 9207: the answer is of whom was asked, before anything is sent", () => {
  const refused: readonly (readonly [
    name: string,
    subject: Party,
    told: Record<string, string> | string[][],
    reason: string,
  ])[] = [
    ["missing though advertised", party, unnamed, "issuer_missing"],
    ["wrong", party, { ...right, iss: "https://evil.test" }, "issuer_mismatch"],
    ["wrong though not advertised", silent, { ...right, iss: "https://evil.test" }, "issuer_mismatch"],
    ["with a slash", party, { ...right, iss: "https://as.test/" }, "issuer_mismatch"],
    ["in capitals", party, { ...right, iss: "https://AS.test" }, "issuer_mismatch"],
    ["with its port", party, { ...right, iss: "https://as.test:443" }, "issuer_mismatch"],
    ["empty", silent, { ...right, iss: "" }, "issuer_mismatch"],
    ["twice", party, [...Object.entries(right), ["iss", "https://as.test"]], "answer_invalid"],
    [
      "wrong in an error",
      party,
      { error: "access_denied", error_description: "canary", state: "canary-state", iss: "https://evil.test" },
      "issuer_mismatch",
    ],
    ["missing in an error", party, { error: "access_denied", state: "canary-state" }, "issuer_missing"],
    ["of an unknown issuer from another host", unknown, { ...right, iss: "https://evil.test" }, "issuer_mismatch"],
    ["state: another one", party, { ...right, state: "other" }, "answer_invalid"],
    ["state: none", party, { code: "x", iss: "https://as.test" }, "answer_invalid"],
    ["state: twice", party, [...Object.entries(right), ["state", "canary-state"]], "answer_invalid"],
    ["code: none", party, { state: "canary-state", iss: "https://as.test" }, "answer_invalid"],
    ["code: empty", party, { ...right, code: "" }, "answer_invalid"],
    ["code: twice", party, [...Object.entries(right), ["code", "other"]], "answer_invalid"],
    ["code: 17 KB", party, { ...right, code: "x".repeat(17_000) }, "answer_invalid"],
    ["a JWT for an answer", party, { ...right, response: "x.y.z" }, "answer_invalid"],
    ["a token in the answer", party, { ...right, id_token: "x.y.z" }, "answer_invalid"],
    [
      "access_denied",
      party,
      { error: "access_denied", state: "canary-state", iss: "https://as.test" },
      "access_denied",
    ],
    [
      "an error of their own",
      party,
      { error: "canary", error_description: "canary", state: "canary-state", iss: "https://as.test" },
      "authorization_refused",
    ],
    ["server_error", silent, { error: "server_error", state: "canary-state" }, "authorization_unavailable"],
  ];
  for (const [name, subject, told, reason] of refused) {
    it(`refuses: ${name}`, async () => {
      const world = await shared();
      const error = errorOf(await redeem(world.base, subject, answer(told)));
      expect(error.reason).toBe(reason);
      expect(error.kind).toBe(reason === "authorization_unavailable" ? "passing" : "wrong");
      expect(world.sent).toEqual([]);
      expect(JSON.stringify([error, world.logged])).not.toContain("canary");
    });
  }

  const taken: readonly (readonly [name: string, subject: Party, told: Record<string, string>])[] = [
    ["named and advertised", party, right],
    ["named though not advertised", silent, right],
    ["not named and not advertised", silent, unnamed],
    [
      "of an unknown issuer, from the host of its authorization endpoint",
      unknown,
      { ...unnamed, iss: "https://accounts.test" },
    ],
  ];
  for (const [name, subject, told] of taken) {
    it(`takes: ${name}`, async () => {
      const world = await shared();
      expect(valueOf(await redeem(world.base, subject, answer(told))).tokens.access_token).toBe("at-1");
      const [sent] = world.provider.tokenRequests;
      expect(Object.fromEntries(sent?.form ?? [])).toEqual({
        ...{
          grant_type: "authorization_code",
          code: "canary-code",
          redirect_uri,
          code_verifier: verifier,
          client_id: "c",
        },
        resource: "https://mcp.up.test/mcp",
      });
      expect(sent?.headers.get("accept")).toBe("application/json");
    });
  }
});
