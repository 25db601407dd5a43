import { eq } from "drizzle-orm";
import { decodeJwt } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { clients, grants, identity_providers, redirect_uris } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { findClient, handleToken } from "../../../src/oauth/index.ts";
import { redeemCode } from "../../../src/oauth/grants/redeem-code.ts";
import { sha256 } from "../../../src/sha256.ts";
import { faultyDatabase } from "../security/support.ts";
import {
  authEvents,
  createGrantWorld,
  origin,
  redirectUri,
  verifier,
  type Answer,
  type GrantWorld,
} from "./grant-world.ts";

let world: GrantWorld;

beforeEach(async () => {
  world = await createGrantWorld();
});

const outcome = ({ status, body }: Answer): unknown[] => [status, body["error"]];
const lastEvent = () => authEvents(world.harness).at(-1);

const setRoles = (roles: object) =>
  world.database
    .update(identity_providers)
    .set({ options: JSON.stringify({ roles }) })
    .where(eq(identity_providers.tenant_id, world.tenant));

/** A refusal of the endpoint: its code, its headers, and no word of why. */
function expectError(answer: Answer, status: number, error: string): void {
  expect(outcome(answer)).toEqual([status, error]);
  expect([answer.headers.get("cache-control"), answer.headers.get("pragma")]).toEqual(["no-store", "no-cache"]);
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(Object.keys(answer.body).sort()).toEqual(["error", "error_description"]);
}

describe("a code", () => {
  it("TK-31: becomes an access token and a refresh token, in an answer that nobody caches", async () => {
    const code = await world.consent();
    expect(code).toMatch(/^ghx_/);
    const { status, body, headers } = await world.redeem(code);
    expect([status, body["token_type"], body["expires_in"], body["scope"]]).toEqual([200, "Bearer", 600, "mcp"]);
    expect(body["refresh_token"]).toMatch(/^ghr_/);
    expect([headers.get("cache-control"), headers.get("pragma")]).toEqual(["no-store", "no-cache"]);
    expect((await world.call(body["access_token"])).status).toBe(200);
    expect(authEvents(world.harness)).toEqual([
      ["consent.give", "ok", undefined],
      ["token.issue", "ok", undefined],
    ]);
  });

  it("TK-01: that comes twice is refused, and ends what the first one gave", async () => {
    const code = await world.consent();
    const { body } = await world.redeem(code);
    expect((await world.call(body["access_token"])).status).toBe(200);
    expectError(await world.redeem(code), 400, "invalid_grant");
    expect(authEvents(world.harness).slice(-2)).toEqual([
      ["grant.revoke", "ok", "code_replay"],
      ["token.issue", "refused", "code_replayed"],
    ]);
    expect((await world.call(body["access_token"])).status).toBe(401);
    expectError(await world.refresh(body["refresh_token"]), 400, "invalid_grant");
  });

  it("TK-03: that is made up ends nothing", async () => {
    const code = await world.consent();
    const { body } = await world.redeem(code);
    for (const guess of [`${code.slice(0, -4)}AAAA`, `ghx_${"A".repeat(80)}`, "x", `${code}A`]) {
      expectError(await world.redeem(guess), 400, "invalid_grant");
    }
    expect((await world.call(body["access_token"])).status).toBe(200);
    expect((await world.refresh(body["refresh_token"])).status).toBe(200);
  });

  it("TK-04: without its verifier is refused, and still good", async () => {
    const code = await world.consent();
    expectError(await world.redeem(code, { code_verifier: undefined }), 400, "invalid_grant");
    expect((await world.redeem(code)).status).toBe(200);
  });

  it.each([
    ["42 characters", "v".repeat(42)],
    ["129 characters", "v".repeat(129)],
    ["a character that does not belong", `${"v".repeat(43)}+`],
  ])("TK-05: with a verifier of %s is refused, and still good", async (_name, code_verifier) => {
    const code = await world.consent();
    expectError(await world.redeem(code, { code_verifier }), 400, "invalid_request");
    expect((await world.redeem(code)).status).toBe(200);
  });

  it.each([
    ["another verifier", () => "w".repeat(43)],
    ["the challenge for a verifier", () => sha256(verifier)],
  ])("TK-05: with %s is refused, and used up", async (_name, made) => {
    const code = await world.consent();
    expectError(await world.redeem(code, { code_verifier: await made() }), 400, "invalid_grant");
    expect(lastEvent()).toEqual(["token.issue", "refused", "code_wrong_verifier"]);
    expectError(await world.redeem(code), 400, "invalid_grant");
  });

  it("TK-07: of another client is refused, and still good for its own", async () => {
    const other = await world.addClient();
    const code = await world.consent();
    expectError(await world.redeem(code, { client_id: other }), 400, "invalid_grant");
    expect(lastEvent()).toEqual(["token.issue", "refused", "wrong_client"]);
    expect((await world.redeem(code)).status).toBe(200);
    expectError(await world.redeem(code, { client_id: other }), 400, "invalid_grant");
  });

  it("TK-08: with another redirect URI is refused, and still good", async () => {
    const code = await world.consent();
    expectError(await world.redeem(code, { redirect_uri: `${redirectUri}/x` }), 400, "invalid_grant");
    expect((await world.redeem(code)).status).toBe(200);
  });

  it("TK-10: for another resource is refused, and still good", async () => {
    const code = await world.consent();
    for (const resource of [`${origin}/mcp/up`, `${origin}/mcp/`, "https://b.gw.test/mcp"]) {
      expectError(await world.redeem(code, { resource }), 400, "invalid_target");
    }
    expect((await world.redeem(code, { resource: `${origin}/mcp` })).status).toBe(200);
  });

  it("AS-24: is good for a minute and not longer", async () => {
    const [early, late] = [await world.consent(), await world.consent()];
    world.clock.jump(limits.authorizationCode_ms - 1);
    expect((await world.redeem(early)).status).toBe(200);
    world.clock.jump(1);
    expectError(await world.redeem(late), 400, "invalid_grant");
  });

  it("S: that arrives 50 times at once gives one answer", async () => {
    const code = await world.consent();
    const answers = await Promise.all(Array.from({ length: 50 }, () => world.redeem(code)));
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([200, ...Array.from({ length: 49 }, () => 400)]);
    const winner = answers.find(({ status }) => status === 200);
    expect((await world.call(winner?.body["access_token"])).status).toBe(401);
  });

  it("TK-16: of a second device leaves the grant of the first alone", async () => {
    const first = await world.redeem(await world.consent());
    const second = await world.redeem(await world.consent());
    expect((await world.refresh(first.body["refresh_token"])).status).toBe(200);
    expect((await world.refresh(second.body["refresh_token"])).status).toBe(200);
  });

  it("RFC 6749 section 5.1: gives no refresh token to a client that may not use one", async () => {
    const client_id = await world.addClient({ grant_types: ["authorization_code"] });
    const { status, body } = await world.redeem(await world.consent({ client_id }), { client_id });
    expect([status, "refresh_token" in body]).toEqual([200, false]);
  });
});

describe("a refresh token", () => {
  let first: Answer;

  beforeEach(async () => {
    first = await world.redeem(await world.consent());
  });

  it("TK-12: rotates, and one of an earlier generation ends the family", async () => {
    const second = await world.refresh(first.body["refresh_token"]);
    const third = await world.refresh(second.body["refresh_token"]);
    expect([second.status, third.status]).toEqual([200, 200]);
    world.clock.jump(limits.refreshGrace_ms);
    expectError(await world.refresh(first.body["refresh_token"]), 400, "invalid_grant");
    expect(authEvents(world.harness).slice(-2)).toEqual([
      ["grant.revoke", "ok", "refresh_reuse"],
      ["token.refresh", "refused", "refresh_reuse"],
    ]);
    expectError(await world.refresh(third.body["refresh_token"]), 400, "invalid_grant");
    for (const { body } of [first, second, third]) expect((await world.call(body["access_token"])).status).toBe(401);
  });

  it("TK-13: has no grace but as the direct predecessor", async () => {
    const second = await world.refresh(first.body["refresh_token"]);
    const third = await world.refresh(second.body["refresh_token"]);
    expectError(await world.refresh(first.body["refresh_token"]), 400, "invalid_grant");
    expectError(await world.refresh(third.body["refresh_token"]), 400, "invalid_grant");
  });

  it("TK-14: whose answer was lost gets the same successor again", async () => {
    const lost = await world.refresh(first.body["refresh_token"]);
    world.clock.jump(limits.refreshGrace_ms - 1);
    const again = await world.refresh(first.body["refresh_token"]);
    expect([again.status, again.body["refresh_token"]]).toEqual([200, lost.body["refresh_token"]]);
    expect(lastEvent()).toEqual(["token.refresh", "ok", "refresh_retry"]);
    expect((await world.refresh(again.body["refresh_token"])).status).toBe(200);
  });

  it("TK-14: ends the family when it comes again after its grace", async () => {
    const second = await world.refresh(first.body["refresh_token"]);
    world.clock.jump(limits.refreshGrace_ms);
    expectError(await world.refresh(first.body["refresh_token"]), 400, "invalid_grant");
    expectError(await world.refresh(second.body["refresh_token"]), 400, "invalid_grant");
  });

  it("TK-15: that arrives 20 times at once has one successor", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => world.refresh(first.body["refresh_token"])));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const successors = new Set(answers.map(({ body }) => body["refresh_token"]));
    expect(successors.size).toBe(1);
    expect((await world.refresh([...successors][0])).status).toBe(200);
  });

  it("TK-07: of another client is refused, and still good for its own", async () => {
    const client_id = await world.addClient();
    expectError(await world.refresh(first.body["refresh_token"], { client_id }), 400, "invalid_grant");
    expect((await world.refresh(first.body["refresh_token"])).status).toBe(200);
  });

  it("TK-10: for another resource is refused, and still good", async () => {
    const resource = `${origin}/mcp/up`;
    expectError(await world.refresh(first.body["refresh_token"], { resource }), 400, "invalid_target");
    expect((await world.refresh(first.body["refresh_token"])).status).toBe(200);
  });

  it.each(["mcp admin", "admin", "MCP", "mcp  mcp"])(
    "TK-11: for the wider scope %j is refused, and still good",
    async (scope) => {
      expectError(await world.refresh(first.body["refresh_token"], { scope }), 400, "invalid_scope");
      expect((await world.refresh(first.body["refresh_token"])).status).toBe(200);
    },
  );

  it("TK-11: for a narrower scope gives that once, and the grant keeps its own", async () => {
    const client = { scope: "mcp offline_access" };
    const wide = await world.redeem(await world.consent(client));
    const narrow = await world.refresh(wide.body["refresh_token"], { scope: "mcp" });
    expect([wide.body["scope"], narrow.body["scope"]]).toEqual(["mcp offline_access", "mcp"]);
    expect((await world.refresh(narrow.body["refresh_token"])).body["scope"]).toBe("mcp offline_access");
  });

  it("RFC 6749 section 6: of a grant that was idle for too long is refused", async () => {
    world.clock.jump(limits.refreshIdle_ms);
    expectError(await world.refresh(first.body["refresh_token"]), 400, "invalid_grant");
    expect(lastEvent()).toEqual(["token.refresh", "refused", "grant_expired"]);
  });

  it("RFC 6749 section 6: of a grant in use ends at the latest after its whole life", async () => {
    let { body } = first;
    const step_ms = limits.refreshIdle_ms - 1;
    for (let spent_ms = step_ms; spent_ms < limits.grantLife_ms; spent_ms += step_ms) {
      world.clock.jump(step_ms);
      const answer = await world.refresh(body["refresh_token"]);
      expect(answer.status).toBe(200);
      ({ body } = answer);
    }
    world.clock.jump(limits.grantLife_ms % step_ms);
    expectError(await world.refresh(body["refresh_token"]), 400, "invalid_grant");
  });

  it("A13: notes when its grant was last used", async () => {
    world.clock.jump(5_000);
    await world.refresh(first.body["refresh_token"]);
    const [row] = await world.database.select().from(grants).where(eq(grants.user_id, world.user.id));
    expect([row?.last_used_at, (row?.redeemed_at ?? 0) < world.clock.now()]).toEqual([world.clock.now(), true]);
    expect(row?.expires_at).toBe(world.clock.now() + limits.refreshIdle_ms);
  });

  it("A3: is refused when its redirect URL is trusted no more", async () => {
    await world.database.delete(redirect_uris).where(eq(redirect_uris.tenant_id, world.tenant));
    expectError(await world.refresh(first.body["refresh_token"]), 400, "invalid_grant");
    expect(lastEvent()).toEqual(["token.refresh", "refused", "redirect_untrusted"]);
  });

  it("AD-02: is refused to whom no role rule of the provider admits now", async () => {
    await setRoles({ member: { groups: ["somebody-else"] } });
    expectError(await world.refresh(first.body["refresh_token"]), 400, "invalid_grant");
    expect(lastEvent()).toEqual(["token.refresh", "refused", "not_admitted"]);
    await setRoles({ member: { emails: ["alice@a.test"] } });
    expect((await world.refresh(first.body["refresh_token"])).status).toBe(200);
  });

  it("AD-02: gives the role that the rules say now", async () => {
    await setRoles({ auditor: { groups: ["staff"] }, member: { everyone: true } });
    const { body } = await world.refresh(first.body["refresh_token"]);
    expect(decodeJwt(String(body["access_token"]))["roles"]).toEqual(["auditor"]);
  });

  it("A3: is refused when its client gave the redirect URI up", async () => {
    const registration = {
      ...{ redirect_uris: [`${redirectUri}/new`], authentication: "none" },
      grant_types: ["authorization_code", "refresh_token"],
    };
    await world.database
      .update(clients)
      .set({ oauth: JSON.stringify(registration) })
      .where(eq(clients.id, world.client_id));
    expectError(await world.refresh(first.body["refresh_token"]), 400, "invalid_grant");
    expect(lastEvent()).toEqual(["token.refresh", "refused", "redirect_unregistered"]);
  });

  it("CR-12: on loopback of a document client is refused once loopback is forbidden to those", async () => {
    const url = "https://cli.test/client.json";
    world.harness.serve("cli.test", () =>
      Response.json({
        ...{ client_id: url, client_name: "CLI", redirect_uris: ["http://127.0.0.1/cb"] },
        ...{ token_endpoint_auth_method: "none", grant_types: ["authorization_code", "refresh_token"] },
      }),
    );
    await world.database.insert(redirect_uris).values({
      ...{ tenant_id: world.tenant, id: crypto.randomUUID(), uri: "http://127.0.0.1/cb", note: "" },
      ...{ created_at: 0, created_by: "test" },
    });
    const asked = { client_id: url, redirect_uri: "http://127.0.0.1:4000/cb" };
    const { body } = await world.redeem(await world.consent(asked), asked);
    await world.admin.api("PATCH", "/settings", { registration: { document_loopback: false } });
    expectError(await world.refresh(body["refresh_token"], { client_id: url }), 400, "invalid_grant");
    expect(lastEvent()).toEqual(["token.refresh", "refused", "redirect_loopback"]);
  });

  it("P2: is refused with access_denied when policy leaves its person no server", async () => {
    await world.admin.api("PATCH", `/servers/${world.up}`, { enabled: false }, { "if-match": "*" });
    await world.admin.api("PATCH", `/servers/${world.down}`, { enabled: false }, { "if-match": "*" });
    expectError(await world.refresh(first.body["refresh_token"]), 403, "access_denied");
    expect(lastEvent()).toEqual(["token.refresh", "refused", "policy_no_server"]);
  });
});

describe("a request to the token endpoint", () => {
  const formType = "application/x-www-form-urlencoded";
  const body = "grant_type=refresh_token&refresh_token=x";

  it.each([
    "application/json, application/x-www-form-urlencoded",
    "application/json",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded; charset=utf-16",
    "text/plain",
  ])("TK-25: of the type %j is refused", async (type) => {
    const answer = await world.post("/oauth/token", new TextEncoder().encode(body), { "content-type": type });
    expectError(answer, 400, "invalid_request");
  });

  it("TK-25: without a type is refused", async () => {
    expectError(await world.post("/oauth/token", new TextEncoder().encode(body)), 400, "invalid_request");
  });

  it("TK-26: with its parameters in the URL has none", async () => {
    const code = await world.consent();
    const query = new URLSearchParams({
      ...{ grant_type: "authorization_code", code, client_id: world.client_id },
      ...{ redirect_uri: redirectUri, code_verifier: verifier },
    });
    const answer = await world.post(`/oauth/token?${query.toString()}`, "", { "content-type": formType });
    expectError(answer, 400, "invalid_request");
    expect((await world.redeem(code)).status).toBe(200);
  });

  it.each([
    ["a repeated parameter", "grant_type=refresh_token&refresh_token=x&refresh_token=x"],
    ["a repeated parameter without a value", "grant_type=refresh_token&client_id=&client_id=c"],
    ["two resources", "grant_type=refresh_token&resource=a&resource=b"],
    ["a parameter in brackets", "grant_type[]=refresh_token"],
    ["no grant type", "client_id=c"],
    ["an empty grant type", "grant_type=&client_id=c"],
    ["nothing", ""],
  ])("TK-27: with %s is refused", async (_name, text) => {
    expectError(await world.post("/oauth/token", text, { "content-type": formType }), 400, "invalid_request");
  });

  it("TK-27: that is no UTF-8 is refused", async () => {
    const answer = await world.post(
      "/oauth/token",
      new Uint8Array([...new TextEncoder().encode("grant_type=password&x="), 0xff]),
      { "content-type": formType },
    );
    expectError(answer, 400, "invalid_request");
  });

  it("TK-27: of more bytes than are read is refused", async () => {
    const text = `grant_type=${"x".repeat(limits.tokenBody_bytes)}`;
    expectError(await world.post("/oauth/token", text, { "content-type": formType }), 400, "invalid_request");
  });

  it.each([
    "password",
    "implicit",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:device_code",
    "toString",
    "__proto__",
  ])("TK-22: for the grant type %s is refused", async (grant_type) => {
    expectError(await world.token({ grant_type, client_id: world.client_id }), 400, "unsupported_grant_type");
  });

  it("TK-22: for a grant type that the client may not use is refused", async () => {
    const client_id = await world.addClient({ grant_types: ["authorization_code"] });
    const answer = await world.token({ grant_type: "refresh_token", client_id, refresh_token: "x" });
    expectError(answer, 400, "unauthorized_client");
  });

  it.each(["/oauth/token", "/oauth/revoke", "/oauth/register"])(
    "CO-23: %s answers with JSON whoever asks",
    async (path) => {
      const headers = { "content-type": formType, accept: "text/html,application/xhtml+xml" };
      const response = await world.harness.fetch(`${origin}${path}`, {
        method: "POST",
        headers,
        body: "grant_type=<b>",
      });
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(response.headers.get("content-type")).toBe("application/json");
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      expect(await response.text()).not.toContain("<b>");
    },
  );

  it.each(["GET", "HEAD", "PUT", "DELETE", "PATCH"])("TK-28: by %s is refused", async (method) => {
    const response = await world.harness.fetch(`${origin}/oauth/token`, { method });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
    expect(response.headers.get("access-control-allow-credentials")).toBeNull();
  });

  it("TK-28: by a preflight of another origin is refused", async () => {
    const headers = { origin: "https://evil.test", "access-control-request-method": "POST" };
    const response = await world.harness.fetch(`${origin}/oauth/token`, { method: "OPTIONS", headers });
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([405, null]);
  });

  it.each(["authorization_code", "refresh_token"])(
    "TK-30: that guesses for %s is held off, and its target is not",
    async (grant_type) => {
      const [code, { body: good }] = [await world.consent(), await world.redeem(await world.consent())];
      const guess = () =>
        world.token({
          ...{ grant_type, client_id: world.client_id, code_verifier: verifier },
          ...{ code: `ghx_test.${"A".repeat(80)}`, refresh_token: `ghr_test.${"A".repeat(80)}` },
        });
      const answers = [];
      for (let i = 0; i <= limits.clientFailures_count; i += 1) answers.push(outcome(await guess()));
      expect(answers.slice(0, -1)).toEqual(
        Array.from({ length: limits.clientFailures_count }, () => [400, "invalid_grant"]),
      );
      expect(answers.at(-1)).toEqual([429, "slow_down"]);
      expect((await world.redeem(code)).status).toBe(200);
      expect((await world.refresh(good["refresh_token"])).status).toBe(200);
      world.clock.jump(limits.clientFailures_ms);
      expect(outcome(await guess())).toEqual([400, "invalid_grant"]);
    },
  );

  it("RFC 6749 section 5.2: that finds the database down may come again", async () => {
    const code = await world.consent();
    const database = faultyDatabase();
    const visit = await world.visit();
    const request = new Request(`${origin}/oauth/token`, {
      method: "POST",
      body: new URLSearchParams({
        ...{ grant_type: "authorization_code", code, client_id: world.client_id, code_verifier: verifier },
      }),
    });
    const platform = { ...visit.platform, bindings: { ...visit.platform.bindings, DB: database.DB } };
    database.fault = "before";
    const response = await handleToken({ ...visit, platform }, request);
    expect([response.status, await response.json()]).toMatchObject([503, { error: "temporarily_unavailable" }]);
    expect((await world.redeem(code)).status).toBe(200);
  });

  it("RFC 6749 section 5.2: that finds the object of its grant down changes nothing", async () => {
    const code = await world.consent();
    const visit = await world.visit();
    const GRANT = { getByName: () => ({ redeem: () => Promise.reject(new Error("overloaded")) }) };
    const bindings = { ...visit.platform.bindings, GRANT } as unknown as Env;
    const client = await findClient(visit, world.client_id);
    if (!client.ok) throw new Error(client.error.reason);
    const parameters = new URLSearchParams({ code, code_verifier: verifier });
    const answered = await redeemCode(
      { ...visit, platform: { ...visit.platform, bindings } },
      client.value,
      parameters,
    );
    expect(answered).toMatchObject({ ok: false, error: { error: "temporarily_unavailable" } });
    expect((await world.redeem(code)).status).toBe(200);
  });

  it("RFC 6749 section 5.2: of an unknown client is refused", async () => {
    const code = await world.consent();
    expect(outcome(await world.redeem(code, { client_id: crypto.randomUUID() }))).toEqual([401, "invalid_client"]);
    expect((await world.redeem(code)).status).toBe(200);
  });
});
