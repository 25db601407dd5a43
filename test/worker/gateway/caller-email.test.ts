/** The address of the person who calls, at a server that is told who calls: only one that the identity provider vouches for. */
import { eq } from "drizzle-orm";
import { decodeJwt } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { users } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { createGrantWorld, type GrantWorld } from "../oauth/grant-world.ts";
import { echoUpstream } from "../security/support.ts";
import { calls, requestEvents } from "./support.ts";

let world: GrantWorld;

beforeEach(async () => {
  world = await createGrantWorld();
}, 30_000);

/** A server that is told who calls, the person's address verified or not, and a call there. */
async function callOf(email_verified: boolean, more: JsonObject): Promise<{ status: number; text: string }> {
  await world.database.update(users).set({ email_verified }).where(eq(users.tenant_id, world.tenant));
  const who = await world.admin.addServer("who", { access: { everyone: true, groups: [] }, ...more });
  world.harness.serve("who.upstream.test", echoUpstream());
  const client_id = await world.addClient({}, [who]);
  const code = await world.consent({ client_id, resource: "https://a.gw.test/mcp/who" }, [who]);
  const issued = await world.redeem(code, { client_id, resource: "https://a.gw.test/mcp/who" });
  return world.call(issued.body["access_token"], "/mcp/who");
}

/** What an administrator changes of the options of the person's provider. */
async function changeOptions(options: object): Promise<void> {
  const list = await world.admin.api("GET", "/identity-providers");
  const { items } = (await list.json()) as { items: { id: string; options: object }[] };
  const [provider] = items;
  if (provider === undefined) throw new Error("There is no provider.");
  const body = { options: { ...provider.options, ...options } };
  expect((await world.admin.api("PATCH", `/identity-providers/${provider.id}`, body)).status).toBe(200);
  world.clock.advance(limits.snapshotFresh_ms);
}

const header = (name: string): string | null | undefined => calls(world.harness).at(-1)?.headers.get(name);
const assertion = { outbound_headers: [{ source: "caller_assertion", name: "X-Caller" }] };
const identity = { outbound_headers: [{ source: "caller_identity", name: "X-Caller", value: "email" }] };
const custom = {
  outbound_headers: [{ source: "custom", name: "X-Caller" }],
  header_secrets: { "X-Caller": { value: "by {{user.email}}" } },
};

describe("U15: the signed assertion", () => {
  it("U15: names a verified address, and says that it is", async () => {
    expect(await callOf(true, assertion)).toMatchObject({ status: 200 });
    const claims = decodeJwt(header("x-caller") ?? "");
    expect(claims).toMatchObject({ sub: world.user.id, email: "alice@a.test", email_verified: true });
  });

  it("U15: names no address that nobody vouches for", async () => {
    expect(await callOf(false, assertion)).toMatchObject({ status: 200 });
    const claims = decodeJwt(header("x-caller") ?? "");
    expect(claims["sub"]).toBe(world.user.id);
    expect(claims).not.toHaveProperty("email");
    expect(claims).not.toHaveProperty("email_verified");
  });
});

describe.each([
  ["caller identity", identity, "alice@a.test"],
  ["a custom value", custom, "by alice@a.test"],
])("U7: %s", (_name, more, expected) => {
  it("U7: holds a verified address", async () => {
    expect(await callOf(true, more)).toMatchObject({ status: 200 });
    expect(header("x-caller")).toBe(expected);
  });

  it("U7: is not made of an address that nobody vouches for: nothing is sent", async () => {
    const { status, text } = await callOf(false, more);
    expect(status).toBeLessThan(500);
    expect(text).toContain("verified");
    expect(text).not.toContain("alice");
    expect(calls(world.harness)).toEqual([]);
    // The log goes on to name the person by it.
    expect(requestEvents(world.harness).at(-1)?.actor).toMatchObject({ user_email: "alice@a.test" });
  });
});

describe("AD-02: what former sign-ins told and is believed no longer", () => {
  const resource = "https://a.gw.test/mcp/who";

  async function issued(): Promise<{ readonly tokens: JsonObject; readonly client_id: string }> {
    const access = { everyone: true, groups: [] };
    const who = await world.admin.addServer("who", { access, ...assertion });
    world.harness.serve("who.upstream.test", echoUpstream());
    const client_id = await world.addClient({}, [who]);
    const answer = await world.redeem(await world.consent({ client_id, resource }, [who]), { client_id, resource });
    return { tokens: answer.body as JsonObject, client_id };
  }

  it.each([
    ["AD-02: no address goes on as verified after trusts_email was withdrawn", { trusts_email: false }],
    ["AD-02: no group of another claim opens a server", { trusts_email: true, groups_claim: "teams" }],
  ])("%s: access tokens of before end", async (_title, change) => {
    await changeOptions({ trusts_email: true });
    const { tokens } = await issued();
    expect((await world.call(tokens["access_token"], "/mcp/who")).status).toBe(200);
    await changeOptions(change);
    const before = calls(world.harness).length;
    expect((await world.call(tokens["access_token"], "/mcp/who")).status).toBe(401);
    expect(calls(world.harness)).toHaveLength(before);
  });

  it("AD-02: the client gets a new token by itself, which names no verified address", async () => {
    await changeOptions({ trusts_email: true });
    const { tokens, client_id } = await issued();
    await changeOptions({ trusts_email: false });
    const renewed = await world.refresh(tokens["refresh_token"], { client_id, resource });
    expect(await world.call(renewed.body["access_token"], "/mcp/who")).toMatchObject({ status: 200 });
    expect(decodeJwt(header("x-caller") ?? "")).not.toHaveProperty("email_verified");
  });

  it("AD-02: other changes end no token", async () => {
    const { tokens } = await issued();
    await changeOptions({ trusts_email: true });
    expect((await world.call(tokens["access_token"], "/mcp/who")).status).toBe(200);
  });
});
