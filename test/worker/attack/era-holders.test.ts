/** What a server says of itself to one person is that person's: another must neither read it nor be judged by it. */
import { beforeEach, describe, expect, it } from "vitest";
import { fitOf } from "../../../src/connections/index.ts";
import { users } from "../../../src/db/index.ts";
import { approve, findClient } from "../../../src/oauth/index.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { connectionStore } from "../../../src/vault/index.ts";
import { MODERN, ask, modernUpstream, result, type Asked, type Upstream } from "../gateway/support.ts";
import { createGrantWorld, type GrantWorld } from "../oauth/grant-world.ts";
import {
  createPassthroughWorld,
  passthrough,
  pathOf,
  type PassthroughWorld,
} from "../admission/passthrough-support.ts";

/** Says to each caller something else about itself: who they are, and what they may do. */
const personalUpstream: Upstream = async (seen) => {
  const { id, method } = seen.message;
  const who = (seen.headers.get("authorization") ?? "nobody").replace("Bearer ", "");
  if (method === "server/discover") {
    const capabilities: JsonObject = who.startsWith("limited") ? { resources: {} } : { tools: {}, resources: {} };
    const instructions = `You work for ${who}.`;
    return result(id ?? null, {
      ...{ supportedVersions: [MODERN], capabilities, instructions },
      ...{ ttlMs: 0, cacheScope: "private" },
    });
  }
  return modernUpstream(() => ({
    ...{ tools: [{ name: `of-${who}`, inputSchema: { type: "object" } }], ttlMs: 0, cacheScope: "private" },
  }))(seen);
};

describe("a server with an account of each person", () => {
  let world: GrantWorld;
  let server: string;
  let client_id: string;

  beforeEach(async () => {
    world = await createGrantWorld();
    world.harness.serve("notes.upstream.test", personalUpstream);
    server = await world.admin.addServer("notes", {
      ...{ authentication: { type: "bearer", holder: "user" }, access: { everyone: true } },
    });
    client_id = await world.addClient({}, [server]);
  });

  const keep = async (user_id: string, value: string): Promise<void> => {
    const visit = await world.visit();
    const url = "https://notes.upstream.test/mcp";
    await connectionStore(visit).put(
      { user_id, target: server, account: "default" },
      {
        ...{ issuer: "", token_endpoint: "", revocation_endpoint: null, client_id: "", scope: null, asked_scope: null },
        ...{ credential: { kind: "secret", value }, step_ups: 0 },
        fit: fitOf({ url, authentication: { type: "bearer", holder: "user" } }),
      },
    );
  };

  async function tokenOf(user: GrantWorld["user"], path = "/mcp/notes"): Promise<string> {
    const visit = await world.visit();
    const asked = await world.request({ client_id, resource: world.admin.origin + path });
    const client = await findClient(visit, asked.client_id);
    if (!client.ok) throw new Error(client.error.reason);
    const session = { ...world.session, user };
    const approved = await approve(visit, session, asked, client.value, [server], { remember: false });
    if (approved.kind !== "redirect") throw new Error(approved.stop.reason);
    const redeemed = await world.redeem(new URL(approved.location).searchParams.get("code") ?? "", { client_id });
    if (redeemed.status !== 200) throw new Error(redeemed.text);
    return String(redeemed.body["access_token"]);
  }

  async function mallory(): Promise<GrantWorld["user"]> {
    const user = { ...world.user, id: crypto.randomUUID(), subject: "mallory", email: "mallory@a.test" };
    const columns = { ...user, tenant_id: world.tenant, groups: JSON.stringify(user.groups) };
    await world.database.insert(users).values(columns);
    return user;
  }

  const at = (token: string, method: string, path = "/mcp/notes"): Promise<Asked> =>
    ask(world.harness, world.admin.origin + path, method, {}, { token });

  it("F8, TN-16: what it tells one person about itself is told to nobody else, least of all without an account", async () => {
    await keep(world.user.id, "alice-secret-workspace");
    const hers = await tokenOf(world.user);
    expect((await at(hers, "server/discover")).text).toContain("alice-secret-workspace");
    const other = await tokenOf(await mallory());
    const answered = await at(other, "server/discover");
    expect(answered.status).toBe(200);
    expect(answered.text).not.toContain("alice-secret-workspace");
  });

  it("F8: one person's limited account does not take the tools away from another", async () => {
    await keep(world.user.id, "limited-alice");
    await at(await tokenOf(world.user), "server/discover");
    const other = await mallory();
    await keep(other.id, "bob");
    const listed = await at(await tokenOf(other, "/mcp"), "tools/list", "/mcp");
    expect(listed.text).toContain("of-bob");
  });
});

describe("a passthrough server", () => {
  let world: PassthroughWorld;

  beforeEach(async () => {
    world = await createPassthroughWorld();
    await world.add("open", passthrough({ anonymous: "allow" }));
    world.harness.serve("open.upstream.test", personalUpstream);
  });

  const at = (credential: string, method: string): Promise<Asked> =>
    ask(world.harness, pathOf("open"), method, {}, { headers: { authorization: `Bearer ${credential}` } });

  it("A6, TN-16: what it tells the holder of one credential about itself is told to nobody else", async () => {
    expect((await at("carol-credential", "server/discover")).text).toContain("carol-credential");
    const answered = await at("stranger", "server/discover");
    expect(answered.status).toBe(200);
    expect(answered.text).not.toContain("carol-credential");
  });

  it("A6: a stranger whose connection breaks does not make it rest for others", async () => {
    world.harness.serve("open.upstream.test", (seen) => {
      if (seen.headers.get("authorization") === "Bearer broken") throw new TypeError("connection reset");
      return personalUpstream(seen);
    });
    await at("broken", "server/discover");
    const answered = await at("carol", "server/discover");
    expect(answered.message).toHaveProperty("result");
  });
});
