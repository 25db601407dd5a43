import { describe, expect, it } from "vitest";
import { routes } from "../../../src/admin/routes.ts";
import { harness, setupSecret } from "./harness.ts";
import { addAgent, addConnection, addGrant, addUser, confidential, keyOf } from "./people.ts";

const bodies: Record<string, object> = {
  "server.update": { name: "taken over" },
  "client.update": { name: "taken over" },
  "client_token.create": { name: "taken over" },
  "client_token.rotate": {},
  "client_secret.create": { name: "taken over" },
  "identity_provider.update": { name: "taken over" },
  "credential.update": { name: "taken over" },
  "user.update": { enabled: false },
  "agent.update": { disabled: true },
};

const withId = routes.filter(({ path }) => path.includes(":"));

async function tenantA() {
  const a = await harness();
  const server = await a.server({ slug: "github" });
  const client = await a.client({ servers: ["github"], oauth: confidential });
  const token = await a.token(client.id);
  const secret = (await a.post(`/clients/${client.id}/secrets`, {})).body;
  const provider = (
    await a.post("/identity-providers", { name: "X", issuer: "https://id.example.com", client_id: "x" })
  ).body;
  const credential = (await a.post("/credentials", { name: "X", value: "hush" })).body;
  const user = await addUser(a, { provider_id: provider.id });
  const grant = await addGrant(a, { user_id: user });
  const connection = await addConnection(a, user);
  const redirect = (await a.post("/redirect-uris", { uri: "https://app.example/callback" })).body;
  // One that registered itself here: the URL of a document is the same client for everybody, and each tenant has its own switch.
  const agent = keyOf(await addAgent(a, { id: crypto.randomUUID(), kind: "dynamic", owner_id: user }));
  const first = (await a.post("/tokens", { name: "one" })).body;
  await a.post("/tokens", { name: "two" });
  const ids: Record<string, string> = {
    ...{ servers: server.id, clients: client.id, "identity-providers": provider.id, users: user, grants: grant },
    ...{ "redirect-uris": redirect.id, agents: agent, credentials: credential.id, connections: connection },
  };
  const idOf = (path: string) => ids[path.split("/")[1] ?? ""] ?? "";
  const tokenOf = (path: string) =>
    path.startsWith("/tokens") ? first.id : path.includes("/secrets") ? secret.id : token.id;
  const state = async () => {
    const lists = [
      "/servers",
      "/clients",
      "/tokens",
      "/identity-providers",
      "/users",
      "/grants",
      "/redirect-uris",
      "/agents",
      "/credentials",
      "/connections",
    ];
    const own = ["", "/tokens", "/secrets"].map((path) => `/clients/${client.id}${path}`);
    const paths = [...lists, ...own, `/agents/${agent}`];
    return Promise.all(paths.map(async (path) => (await a.get(path)).text));
  };
  const fill = (path: string) => path.replace(":id", idOf(path)).replace(":tokenId", tokenOf(path));
  return { a, fill, state };
}

describe("two tenants", () => {
  it.each(withId.map((route) => [route.method, route.path, route.action] as const))(
    "AD-01: %s %s with an id of tenant A is 404 for tenant B and changes nothing",
    async (method, path, action) => {
      const { fill, state } = await tenantA();
      const before = await state();
      const b = await harness();
      // B has a token of its own, so that revoking is not refused for another reason.
      await b.post("/tokens", { name: "own" });
      expect((await b.send(method, fill(path), method === "GET" ? undefined : bodies[action])).status).toBe(404);
      expect(await state()).toEqual(before);
    },
  );

  it.each(withId.map((route) => [route.method, route.path, route.action] as const))(
    "AD-01: the same %s %s succeeds for tenant A",
    async (method, path, action) => {
      const { a, fill } = await tenantA();
      expect((await a.send(method, fill(path), method === "GET" ? undefined : bodies[action])).status).toBeLessThan(
        300,
      );
    },
  );

  it("TN-05: one slug in two tenants is two servers", async () => {
    const [a, b] = [await harness(), await harness()];
    const one = await a.server({ slug: "github", url: "https://a.example.com/mcp" });
    const two = await b.server({ slug: "github", url: "https://b.example.com/mcp" });
    expect(one.id).not.toBe(two.id);
    await a.remove(`/servers/${one.id}`);
    expect((await b.get("/servers")).body.items.map(({ url }) => url)).toEqual(["https://b.example.com/mcp"]);
  });

  it.each([
    ...["/servers", "/clients", "/tokens", "/identity-providers", "/users", "/grants", "/agents"],
    ...["/redirect-uris", "/redirect-uris/blocked", "/credentials"],
  ])("TN-05: GET %s shows nothing of another tenant", async (path) => {
    await tenantA();
    expect((await (await harness()).get(path)).body.items).toEqual([]);
  });

  it("TN-05: settings are one tenant's own", async () => {
    const [a, b] = [await harness(), await harness()];
    await a.patch("/settings", { audit_strict: true });
    expect((await b.get("/settings")).body.audit_strict).toBe(false);
  });

  it("TN-05: a server that is removed leaves the allow-lists of other tenants", async () => {
    const { a, state } = await tenantA();
    const before = await state();
    const b = await harness();
    const server = await b.server({ slug: "github" });
    await b.remove(`/servers/${server.id}`);
    expect(await state()).toEqual(before);
    expect(a.tenant).not.toBe(b.tenant);
  });

  it("TN-05: the last administrator token of one tenant does not count for another", async () => {
    const { a } = await tenantA();
    const b = await harness({ initialised: false, principal: undefined });
    await b.post("/setup", { secret: setupSecret });
    const own = b.as({});
    const { items } = (await own.get("/tokens")).body;
    expect((await own.remove(`/tokens/${items[0]?.id}`)).status).toBe(409);
    expect((await a.get("/tokens")).body.items).toHaveLength(2);
  });
});
