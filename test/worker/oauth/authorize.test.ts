/** AS-01 to AS-26, A3: what `/oauth/authorize` takes, what it tells the client and what it shows the person instead. */
import { and, eq } from "drizzle-orm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clients, redirect_uris } from "../../../src/db/index.ts";
import type { Visit } from "../../../src/login/index.ts";
import { limits } from "../../../src/limits.ts";
import {
  agentsRepository,
  answerRedirect,
  blockedRedirects,
  checkAuthorization,
  openAuthorization,
  parseResource,
  resourceOf,
  sealAuthorization,
  type AuthorizationCheck,
  type AuthorizationRequest,
} from "../../../src/oauth/index.ts";
import {
  addRegistered,
  authorizeParameters,
  blocks,
  createWorld,
  origin,
  rowCounts,
  s256,
  type World,
} from "./clients-support.ts";

const callback = "https://app.test/cb";

interface Ready {
  readonly world: World;
  readonly id: string;
}

async function ready(): Promise<Ready> {
  const world = await createWorld();
  await world.trust(callback);
  return { world, id: await addRegistered(world) };
}

type More = Readonly<Record<string, string | undefined>>;

const check = ({ world, id }: Ready, more: More = {}, visit: Visit = world.visit): Promise<AuthorizationCheck> =>
  checkAuthorization(visit, authorizeParameters(id, callback, more));

async function accepted(made: Ready, more: More = {}): Promise<AuthorizationRequest> {
  const checked = await check(made, more);
  if (checked.kind !== "request") throw new Error(JSON.stringify(checked));
  return checked.request;
}

/** The query of what goes to the client. */
function told(checked: AuthorizationCheck): Record<string, string> {
  if (checked.kind !== "refused") throw new Error(checked.kind);
  expect(checked.location.startsWith(`${callback}?`)).toBe(true);
  const { searchParams } = new URL(checked.location);
  const names = [...searchParams.keys()];
  expect(new Set(names).size).toBe(names.length);
  return Object.fromEntries(searchParams);
}

const stopOf = (checked: AuthorizationCheck): string =>
  checked.kind === "stopped" ? checked.stop.reason : checked.kind;

describe("a right request", () => {
  it("A1: becomes what a person may decide on", async () => {
    const made = await ready();
    const request = await accepted(made);
    expect(request).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      ...{ client_id: made.id, redirect_uri: callback, state: "s-1", scope: "mcp", resource: `${origin}/mcp` },
      ...{ code_challenge: s256, prompt: undefined, max_age: undefined, requested_at: made.world.clock.now() },
    });
    expect(made.world.events).toEqual([]);
    expect(made.world.unknown).toEqual([]);
  });

  it("S10: puts the client into the inventory", async () => {
    const made = await ready();
    await accepted(made);
    const agent = await agentsRepository(made.world.database, made.world.tenant).get(made.id);
    expect(agent).toMatchObject({ kind: "registered", name: "Desk", owner_id: null, blocked_at: null });
  });

  it("AS-17: without resource it is for the aggregate", async () => {
    expect((await accepted(await ready(), { resource: undefined })).resource).toBe(`${origin}/mcp`);
  });

  it("AS-17: a well-formed server name is a resource, whether the server exists or not", async () => {
    expect((await accepted(await ready(), { resource: `${origin}/mcp/github` })).resource).toBe(`${origin}/mcp/github`);
  });

  it.each([undefined, "", "mcp", "openid email offline_access", "* admin", "mcp mcp"])(
    "AS-18: the scope %j grants mcp and no more",
    async (scope) => {
      expect((await accepted(await ready(), { scope })).scope).toBe("mcp");
    },
  );

  it.each([
    [undefined, undefined],
    ["none", "none"],
    ["login", "login"],
    ["consent", "consent"],
    ["select_account", "login"],
    ["login consent", "login"],
    ["", undefined],
  ])("AS-25: prompt %j is %j", async (prompt, expected) => {
    expect((await accepted(await ready(), { prompt })).prompt).toBe(expected);
  });

  it("CO-09: consent that comes with offline_access, as SDK clients send it each time, does not ask again", async () => {
    const byRote = { prompt: "consent", scope: "mcp offline_access" };
    expect((await accepted(await ready(), byRote)).prompt).toBeUndefined();
  });

  it("AS-25: max_age is a number of seconds", async () => {
    expect((await accepted(await ready(), { max_age: "0" })).max_age).toBe(0);
  });

  it("A5: parameters that mean nothing here are ignored", async () => {
    expect(
      (await accepted(await ready(), { nonce: "n", ui_locales: "de", claims: "{}", id_token_hint: "x" })).scope,
    ).toBe("mcp");
  });
});

describe("who asks, and where the answer goes: nothing is sent anywhere", () => {
  it.each([
    ["AS-19", { client_id: crypto.randomUUID(), redirect_uri: "https://evil.test" }, "client_unknown"],
    ["AS-19", { client_id: "x", redirect_uri: "https://evil.test" }, "client_unknown"],
    ["AS-19", { client_id: undefined }, "request_invalid"],
    ["AS-19", { client_id: "x".repeat(5_000) }, "request_invalid"],
    ["AS-01", { redirect_uri: undefined }, "redirect_uri_missing"],
    ["AS-01", { redirect_uri: "" }, "redirect_uri_missing"],
    ["AS-01", { redirect_uri: `https://app.test/${"x".repeat(5_000)}` }, "request_invalid"],
  ])("%s: %j stops", async (_id, more, reason) => {
    const made = await ready();
    const before = await rowCounts(made.world);
    expect(stopOf(await check(made, more))).toBe(reason);
    expect(made.world.unknown).toEqual([reason]);
    expect(await rowCounts(made.world)).toEqual(before);
  });

  it.each([
    ["AS-01", "https://evil.test/cb"],
    ["AS-02", "https://app.test/cb/../evil"],
    ["AS-02", "https://app.test/cb/x"],
    ["AS-02", "https://app.test/cb?x=1"],
    ["AS-02", "https://app.test/cb#f"],
    ["AS-02", "https://app.test/CB"],
    ["AS-02", "https://app.test:443/cb"],
    ["AS-02", "https://app.test./cb"],
    ["AS-02", "https://app.test/cb%2F"],
    ["AS-02", "https://app.test/c%62"],
    ["AS-02", " https://app.test/cb"],
    ["AS-03", "https://app.test@evil.test/cb"],
    ["AS-03", "https://app.test\\@evil.test/cb"],
    ["AS-03", "https://app.test%2eevil.test/cb"],
    ["AS-03", "https://app.test。evil.test/cb"],
    ["AS-05", "javascript:alert(1)"],
    ["AS-06", "http://app.test/cb"],
    ["AS-08", "cursor://evil"],
  ])("%s: the redirect URI %s of a client that has another stops", async (_id, redirect_uri) => {
    const made = await ready();
    const checked = await check(made, { redirect_uri });
    expect(checked).toEqual({
      kind: "stopped",
      stop: { reason: "redirect_uri_not_registered", client_id: made.id, client_name: "Desk", redirect_uri },
    });
    expect(blocks(made.world)).toMatchObject([
      { outcome: "refused", reason: "redirect_uri_not_registered", redirect_uri },
    ]);
  });

  it.each([
    ["client_id", "other"],
    ["redirect_uri", "https://evil.test/cb"],
    ["client_id", ""],
  ])("AS-09: a second %s stops", async (name, value) => {
    const made = await ready();
    const parameters = authorizeParameters(made.id, callback);
    parameters.append(name, value);
    expect(stopOf(await checkAuthorization(made.world.visit, parameters))).toBe("request_ambiguous");
  });

  it("A3, CR-15: an untrusted redirect URL stops, named to the person, the administrator and the log", async () => {
    const world = await createWorld();
    const id = await addRegistered(world);
    const made = { world, id };
    expect(await check(made)).toEqual({
      kind: "stopped",
      stop: { reason: "redirect_uri_untrusted", client_id: id, client_name: "Desk", redirect_uri: callback },
    });
    await check(made);
    expect(blocks(world)).toMatchObject([
      { actor: { agent: id, client_name: "Desk" }, reason: "redirect_uri_untrusted", redirect_uri: callback },
      { redirect_uri: callback },
    ]);
    expect(await blockedRedirects(world.database, world.tenant).page()).toMatchObject([
      { client_id: id, redirect_uri: callback, client_name: "Desk", attempts: 2 },
    ]);
    expect(await agentsRepository(world.database, world.tenant).get(id)).toMatchObject({
      blocked_at: world.clock.now(),
      blocked_reason: "redirect_uri_untrusted",
    });
    await world.trust(callback);
    expect((await check(made)).kind).toBe("request");
  });

  it("A3: what another tenant trusts is not trusted here", async () => {
    const [world, other] = [await createWorld(), await createWorld()];
    await other.trust(callback);
    expect(stopOf(await check({ world, id: await addRegistered(world) }))).toBe("redirect_uri_untrusted");
  });

  it("CR-09: documents may not answer on loopback where the tenant says so", async () => {
    const world = await createWorld();
    const client_id = "https://cli.example.com/client.json";
    const redirect_uri = "http://localhost:4444/cb";
    world.publish({ client_id, client_name: "CLI", redirect_uris: ["http://localhost/cb"] });
    await world.trust("http://localhost");
    const parameters = authorizeParameters(client_id, redirect_uri);
    expect((await checkAuthorization(world.visit, parameters)).kind).toBe("request");
    const strict = world.with({ document_loopback: false });
    expect(stopOf(await checkAuthorization(strict, parameters))).toBe("redirect_uri_loopback");
  });

  it("CR-13: a client of a domain that is not trusted stops, and the administrator sees it", async () => {
    const world = await createWorld();
    const client_id = "https://app.evil.com/client.json";
    const strict = world.with({ documents: "domains", document_domains: ["example.com"] });
    const checked = await checkAuthorization(strict, authorizeParameters(client_id, callback));
    expect(checked).toMatchObject({ kind: "stopped", stop: { reason: "client_domain_untrusted", client_id } });
    expect(blocks(world)).toMatchObject([{ reason: "client_domain_untrusted", actor: { agent: client_id } }]);
    expect(await agentsRepository(world.database, world.tenant).get(client_id)).toMatchObject({
      kind: "unknown",
      name: "app.evil.com",
    });
    expect(world.seen).toEqual([]);
  });

  it("CR-20: an id that exists in another tenant is like one that exists nowhere", async () => {
    const [world, other] = [await createWorld(), await createWorld()];
    const [foreign, nowhere] = [await addRegistered(other), crypto.randomUUID()];
    const stop = async (id: string) => JSON.stringify(await check({ world, id })).replaceAll(id, "");
    expect(await stop(foreign)).toBe(await stop(nowhere));
  });

  it("AU: a flood of blocked requests from one network becomes a count", async () => {
    const world = await createWorld();
    const id = await addRegistered(world);
    for (let n = 0; n < limits.blockedEvents_count + 3; n += 1) await check({ world, id });
    expect(blocks(world)).toHaveLength(limits.blockedEvents_count);
    expect(world.unknown).toEqual(Array(3).fill("redirect_uri_untrusted"));
  });
});

describe("what is told to the client", () => {
  it.each([
    ["AS-11", { code_challenge: undefined }, "invalid_request"],
    ["AS-11", { code_challenge: "" }, "invalid_request"],
    ["AS-12", { code_challenge_method: "plain" }, "invalid_request"],
    ["AS-12", { code_challenge_method: "S512" }, "invalid_request"],
    ["AS-12", { code_challenge_method: "s256" }, "invalid_request"],
    ["AS-12", { code_challenge_method: "" }, "invalid_request"],
    ["AS-12", { code_challenge_method: undefined }, "invalid_request"],
    ["AS-12", { code_challenge: s256.slice(1) }, "invalid_request"],
    ["AS-12", { code_challenge: `${s256}A` }, "invalid_request"],
    ["AS-12", { code_challenge: `${s256.slice(1)}=` }, "invalid_request"],
    ["AS-12", { code_challenge: `${s256.slice(1)}+` }, "invalid_request"],
    ["AS-13", { response_type: "token" }, "unsupported_response_type"],
    ["AS-13", { response_type: "code token" }, "unsupported_response_type"],
    ["AS-13", { response_type: "none" }, "unsupported_response_type"],
    ["AS-13", { response_type: undefined }, "invalid_request"],
    ["AS-14", { response_mode: "query.jwt" }, "invalid_request"],
    ["AS-14", { response_mode: "web_message" }, "invalid_request"],
    ["AS-14", { response_mode: "form_post" }, "invalid_request"],
    ["AS-14", { response_mode: "fragment" }, "invalid_request"],
    ["AS-14", { request: "e30.e30." }, "request_not_supported"],
    ["AS-14", { request_uri: "https://evil.test/r" }, "request_uri_not_supported"],
    ["AS-17", { resource: "https://b.gw.test/mcp" }, "invalid_target"],
    ["AS-17", { resource: `${origin}/mcp#x` }, "invalid_target"],
    ["AS-17", { resource: "http://a.gw.test/mcp" }, "invalid_target"],
    ["AS-17", { resource: `${origin}/mcp/` }, "invalid_target"],
    ["AS-17", { resource: `${origin}/mcp/a/b` }, "invalid_target"],
    ["AS-17", { resource: `${origin}/mcp/UPPER` }, "invalid_target"],
    ["AS-17", { resource: `${origin}/mcpx` }, "invalid_target"],
    ["AS-17", { resource: origin }, "invalid_target"],
    ["AS-17", { resource: "" }, "invalid_target"],
    ["AS-18", { scope: "mcp\u0000" }, "invalid_scope"],
    ["AS-18", { scope: "mcp\nadmin" }, "invalid_scope"],
    ["AS-18", { scope: 'm"cp' }, "invalid_scope"],
    ["AS-18", { scope: "s ".repeat(10_000) }, "invalid_scope"],
    ["AS-25", { prompt: "none login" }, "invalid_request"],
    ["AS-25", { prompt: "create" }, "invalid_request"],
    ["AS-25", { max_age: "-1" }, "invalid_request"],
    ["AS-25", { max_age: "1e3" }, "invalid_request"],
  ])("%s: %j", async (_id, more: More, error) => {
    const made = await ready();
    const before = await rowCounts(made.world);
    const answer = told(await check(made, more));
    expect(answer).toMatchObject({ error, state: "s-1", iss: origin });
    expect(answer["code"]).toBeUndefined();
    expect(await rowCounts(made.world)).toEqual(before);
  });

  it.each(["state", "scope", "code_challenge", "response_type", "prompt", "code_challenge_method"])(
    "AS-09: a second %s",
    async (name) => {
      const made = await ready();
      const parameters = authorizeParameters(made.id, callback, { prompt: "login" });
      parameters.append(name, parameters.get(name) ?? "");
      const answer = told(await checkAuthorization(made.world.visit, parameters));
      expect(answer["error"]).toBe("invalid_request");
      expect(answer["state"]).toBe(name === "state" ? undefined : "s-1");
    },
  );

  it("AS-17: two resources, even equal ones", async () => {
    const made = await ready();
    const parameters = authorizeParameters(made.id, callback);
    parameters.append("resource", `${origin}/mcp`);
    expect(told(await checkAuthorization(made.world.visit, parameters))["error"]).toBe("invalid_target");
  });

  it("AS-26: a state of more than 1 KB is not echoed", async () => {
    const answer = told(await check(await ready(), { state: "s".repeat(limits.state_chars + 1) }));
    expect(answer).toMatchObject({ error: "invalid_request", iss: origin });
    expect(answer["state"]).toBeUndefined();
  });

  it("AS-26: a state of 64 KB is not echoed either", async () => {
    expect(told(await check(await ready(), { state: "s".repeat(65_536) }))["state"]).toBeUndefined();
  });

  it("TK-22: a client without the grant authorization_code", async () => {
    const { world } = await ready();
    const id = await addRegistered(world, {
      grant_types: ["client_credentials"],
      authentication: "client_secret_basic",
    });
    expect(told(await check({ world, id }))["error"]).toBe("unauthorized_client");
  });
});

describe("the answer", () => {
  const build = (redirect_uri: string, state: string | undefined) =>
    answerRedirect({ tenant: { id: "t", origin } }, { redirect_uri, state }, { code: "c1" });

  it.each([
    [callback, `${callback}?code=c1&state=s&iss=https%3A%2F%2Fa.gw.test`],
    [`${callback}?a=%20b+c`, `${callback}?a=%20b+c&code=c1&state=s&iss=https%3A%2F%2Fa.gw.test`],
    ["http://127.0.0.1:5000", "http://127.0.0.1:5000?code=c1&state=s&iss=https%3A%2F%2Fa.gw.test"],
    [
      "cursor://anysphere.cursor-mcp/oauth/callback",
      "cursor://anysphere.cursor-mcp/oauth/callback?code=c1&state=s&iss=https%3A%2F%2Fa.gw.test",
    ],
    ["com.example.app:/cb?", "com.example.app:/cb?code=c1&state=s&iss=https%3A%2F%2Fa.gw.test"],
  ])("AS-16: to %s", (redirect_uri, location) => {
    expect(build(redirect_uri, "s")).toBe(location);
  });

  it("AS-16: without a state there is none", () => {
    expect(build(callback, undefined)).toBe(`${callback}?code=c1&iss=https%3A%2F%2Fa.gw.test`);
  });

  const character = fc.constantFrom(
    "a",
    "é",
    "\u{1F600}",
    "\r",
    "\n",
    "\0",
    " ",
    "+",
    "&",
    "=",
    "%",
    "#",
    "?",
    '"',
    "<",
    "\\",
  );

  it("AS-10, AS-26: whatever the state, it comes back as it was, once, on one line", () => {
    fc.assert(
      fc.property(fc.array(character, { maxLength: 20 }), (characters) => {
        const state = characters.join("");
        const location = build(`${callback}?a=1`, state);
        if (/[^\x21-\x7e]/.test(location)) throw new Error("not printable ASCII");
        const { searchParams } = new URL(location);
        const answered = ["state", "code", "iss"].map((name) => searchParams.getAll(name));
        if (JSON.stringify(answered) !== JSON.stringify([[state], ["c1"], [origin]])) throw new Error(location);
      }),
      { numRuns: 60 },
    );
  });
});

describe("on its way through sign-in and consent", () => {
  const sealed = async (made: Ready): Promise<string> =>
    sealAuthorization(made.world.visit, await accepted(made, { prompt: "consent", max_age: "5" }));

  it("A1: a request opens as it was sealed", async () => {
    const made = await ready();
    const request = await accepted(made);
    const opened = await openAuthorization(made.world.visit, await sealAuthorization(made.world.visit, request));
    expect(opened).toMatchObject({ kind: "request", request, client: { id: made.id } });
  });

  it("AS-01: a handle that was changed does not open", async () => {
    const made = await ready();
    const handle = await sealed(made);
    const at = handle.length - 5;
    const changed = handle.slice(0, at) + (handle[at] === "A" ? "B" : "A") + handle.slice(at + 1);
    expect(stopOf(await openAuthorization(made.world.visit, changed))).toBe("request_invalid");
  });

  it("TN-01: a handle of another tenant does not open", async () => {
    const made = await ready();
    const visit = { ...made.world.visit, tenant: { id: "other", origin } };
    expect(stopOf(await openAuthorization(visit, await sealed(made)))).toBe("request_invalid");
  });

  it("AS-24: it lives ten minutes", async () => {
    const made = await ready();
    const handle = await sealed(made);
    made.world.clock.advance(limits.authorizationRequest_ms);
    expect(stopOf(await openAuthorization(made.world.visit, handle))).toBe("request_expired");
  });

  it("AS-23: it does not open when the client was disabled meanwhile", async () => {
    const made = await ready();
    const handle = await sealed(made);
    await made.world.database.update(clients).set({ enabled: false }).where(eq(clients.id, made.id));
    expect(stopOf(await openAuthorization(made.world.visit, handle))).toBe("client_unknown");
  });

  it("AS-01: it does not open when the client's redirect URI changed meanwhile", async () => {
    const made = await ready();
    const handle = await sealed(made);
    const oauth = JSON.stringify({
      redirect_uris: ["https://app.test/new"],
      authentication: "none",
      grant_types: ["authorization_code"],
    });
    await made.world.database.update(clients).set({ oauth }).where(eq(clients.id, made.id));
    expect(stopOf(await openAuthorization(made.world.visit, handle))).toBe("redirect_uri_not_registered");
  });

  it("A3: it does not open when the redirect URL is trusted no more", async () => {
    const made = await ready();
    const handle = await sealed(made);
    const mine = and(eq(redirect_uris.tenant_id, made.world.tenant), eq(redirect_uris.uri, callback));
    await made.world.database.delete(redirect_uris).where(mine);
    expect(stopOf(await openAuthorization(made.world.visit, handle))).toBe("redirect_uri_untrusted");
  });
});

describe("resources", () => {
  it("AS-17: the aggregate", () => {
    expect(parseResource(origin, resourceOf(origin))).toEqual({ slug: undefined });
  });

  it("AS-17: exactly those of well-formed names", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 40 }), fc.stringMatching(/^[a-z0-9-]{1,34}$/)), (name) => {
        const isSlug = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/.test(name);
        const parsed = parseResource(origin, `${origin}/mcp/${name}`);
        if (parsed?.slug !== (isSlug ? name : undefined)) throw new Error(name);
      }),
      { numRuns: 60 },
    );
  });
});
