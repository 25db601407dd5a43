import { describe, expect, it } from "vitest";
import { auditEvent } from "../../../src/audit/index.ts";
import { routes } from "../../../src/admin/routes.ts";
import { harness, type Harness } from "./harness.ts";
import { addAgent, addConnection, addGrant, addUser, confidential, keyOf } from "./people.ts";

const url = "https://mcp.example.com/mcp";
const unknownId = "00000000-0000-7000-8000-ffffffffffff";

const storedCredential = { name: "Search service", value: "hush" };
const provider = { name: "Company", issuer: "https://id.example.com", client_id: "x", client_secret: "hush" };

interface Act {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
  readonly fields?: readonly string[];
}

/** For each mutating route: how it succeeds, and how it is refused. */
const acts: Record<
  string,
  { readonly good: (admin: Harness) => Promise<Act>; readonly bad: Act; readonly reason: string }
> = {
  "server.create": {
    good: async () => ({ method: "POST", path: "/servers", body: { slug: "x", url }, fields: ["slug", "url"] }),
    bad: { method: "POST", path: "/servers", body: { slug: "X" } },
    reason: "invalid_field",
  },
  "server.update": {
    good: async (admin) => ({
      method: "PATCH",
      path: `/servers/${(await admin.server()).id}`,
      body: { enabled: false },
      fields: ["enabled"],
    }),
    bad: { method: "PATCH", path: `/servers/${unknownId}`, body: {} },
    reason: "not_found",
  },
  "server.delete": {
    good: async (admin) => ({ method: "DELETE", path: `/servers/${(await admin.server()).id}` }),
    bad: { method: "DELETE", path: `/servers/${unknownId}` },
    reason: "not_found",
  },
  "client.create": {
    good: async () => ({ method: "POST", path: "/clients", body: { name: "x" }, fields: ["name"] }),
    bad: { method: "POST", path: "/clients", body: { name: "x", servers: ["nothing"] } },
    reason: "invalid_field",
  },
  "client.update": {
    good: async (admin) => ({
      method: "PATCH",
      path: `/clients/${(await admin.client()).id}`,
      body: { name: "y" },
      fields: ["name"],
    }),
    bad: { method: "PATCH", path: `/clients/${unknownId}`, body: { name: "y" } },
    reason: "not_found",
  },
  "client.delete": {
    good: async (admin) => ({ method: "DELETE", path: `/clients/${(await admin.client()).id}` }),
    bad: { method: "DELETE", path: `/clients/${unknownId}` },
    reason: "not_found",
  },
  "client_token.create": {
    good: async (admin) => ({
      method: "POST",
      path: `/clients/${(await admin.client()).id}/tokens`,
      body: { name: "ci" },
      fields: ["name"],
    }),
    bad: { method: "POST", path: `/clients/${unknownId}/tokens`, body: {} },
    reason: "not_found",
  },
  "client_token.revoke": {
    good: async (admin) => {
      const client = await admin.client();
      return { method: "DELETE", path: `/clients/${client.id}/tokens/${(await admin.token(client.id)).id}` };
    },
    bad: { method: "DELETE", path: `/clients/${unknownId}/tokens/${unknownId}` },
    reason: "not_found",
  },
  "client_token.rotate": {
    good: async (admin) => {
      const client = await admin.client();
      const path = `/clients/${client.id}/tokens/${(await admin.token(client.id)).id}/rotate`;
      return { method: "POST", path, body: { overlap_seconds: 0 }, fields: ["overlap_seconds"] };
    },
    bad: { method: "POST", path: `/clients/${unknownId}/tokens/${unknownId}/rotate`, body: {} },
    reason: "not_found",
  },
  "client_secret.create": {
    good: async (admin) => ({
      method: "POST",
      path: `/clients/${(await admin.client({ oauth: confidential })).id}/secrets`,
      body: { name: "ci" },
      fields: ["name"],
    }),
    bad: { method: "POST", path: `/clients/${unknownId}/secrets`, body: {} },
    reason: "not_found",
  },
  "client_secret.revoke": {
    good: async (admin) => {
      const path = `/clients/${(await admin.client({ oauth: confidential })).id}/secrets`;
      return { method: "DELETE", path: `${path}/${(await admin.post(path, {})).body.id}` };
    },
    bad: { method: "DELETE", path: `/clients/${unknownId}/secrets/${unknownId}` },
    reason: "not_found",
  },
  "identity_provider.create": {
    good: async () => ({
      method: "POST",
      path: "/identity-providers",
      body: provider,
      fields: ["name", "issuer", "client_id", "client_secret"],
    }),
    bad: { method: "POST", path: "/identity-providers", body: { ...provider, issuer: "http://10.0.0.1" } },
    reason: "invalid_field",
  },
  "identity_provider.update": {
    good: async (admin) => ({
      method: "PATCH",
      path: `/identity-providers/${(await admin.post("/identity-providers", provider)).body.id}`,
      body: { client_id: "other" },
      fields: ["client_id", "client_secret"],
    }),
    bad: { method: "PATCH", path: `/identity-providers/${unknownId}`, body: {} },
    reason: "not_found",
  },
  "identity_provider.delete": {
    good: async (admin) => ({
      method: "DELETE",
      path: `/identity-providers/${(await admin.post("/identity-providers", provider)).body.id}`,
    }),
    bad: { method: "DELETE", path: `/identity-providers/${unknownId}` },
    reason: "not_found",
  },
  "credential.create": {
    good: async () => ({
      method: "POST",
      path: "/credentials",
      body: storedCredential,
      fields: ["name", "value"],
    }),
    bad: { method: "POST", path: "/credentials", body: { name: "Search service" } },
    reason: "invalid_field",
  },
  "credential.update": {
    good: async (admin) => ({
      method: "PATCH",
      path: `/credentials/${(await admin.post("/credentials", storedCredential)).body.id}`,
      body: { value: "other" },
      fields: ["value"],
    }),
    bad: { method: "PATCH", path: `/credentials/${unknownId}`, body: {} },
    reason: "not_found",
  },
  "credential.delete": {
    good: async (admin) => ({
      method: "DELETE",
      path: `/credentials/${(await admin.post("/credentials", storedCredential)).body.id}`,
    }),
    bad: { method: "DELETE", path: `/credentials/${unknownId}` },
    reason: "not_found",
  },
  "vault.rewrap": {
    good: async () => ({ method: "POST", path: "/vault/rewrap", body: {} }),
    bad: { method: "POST", path: "/vault/rewrap", body: { kid: "k1" } },
    reason: "invalid_field",
  },
  "user.update": {
    good: async (admin) => ({
      method: "PATCH",
      path: `/users/${await addUser(admin)}`,
      body: { enabled: false },
      fields: ["enabled"],
    }),
    bad: { method: "PATCH", path: `/users/${unknownId}`, body: { enabled: false } },
    reason: "not_found",
  },
  "redirect_uri.create": {
    good: async () => ({
      method: "POST",
      path: "/redirect-uris",
      body: { uri: "https://app.example/callback" },
      fields: ["uri"],
    }),
    bad: { method: "POST", path: "/redirect-uris", body: { uri: "https://app.example/*" } },
    reason: "invalid_field",
  },
  "redirect_uri.delete": {
    good: async (admin) => {
      const { body } = await admin.post("/redirect-uris", { uri: "https://app.example/callback" });
      return { method: "DELETE", path: `/redirect-uris/${body.id}`, fields: ["uri"] };
    },
    bad: { method: "DELETE", path: `/redirect-uris/${unknownId}` },
    reason: "not_found",
  },
  "connection.delete": {
    good: async (admin) => ({ method: "DELETE", path: `/connections/${await addConnection(admin)}` }),
    bad: { method: "DELETE", path: `/connections/${unknownId}` },
    reason: "not_found",
  },
  "grant.revoke": {
    good: async (admin) => ({ method: "DELETE", path: `/grants/${await addGrant(admin)}` }),
    bad: { method: "DELETE", path: `/grants/${unknownId}` },
    reason: "not_found",
  },
  "agent.update": {
    good: async (admin) => ({
      method: "PATCH",
      path: `/agents/${keyOf(await addAgent(admin))}`,
      body: { disabled: true },
      fields: ["disabled"],
    }),
    bad: { method: "PATCH", path: `/agents/${keyOf("https://nobody.example/")}`, body: { disabled: true } },
    reason: "not_found",
  },
  "administrator_token.create": {
    good: async () => ({ method: "POST", path: "/tokens", body: { name: "x" }, fields: ["name"] }),
    bad: { method: "POST", path: "/tokens", body: {} },
    reason: "invalid_field",
  },
  "administrator_token.revoke": {
    good: async (admin) => {
      await admin.post("/tokens", { name: "other" });
      return { method: "DELETE", path: `/tokens/${(await admin.post("/tokens", { name: "x" })).body.id}` };
    },
    bad: { method: "DELETE", path: `/tokens/${unknownId}` },
    reason: "not_found",
  },
  "settings.update": {
    good: async () => ({
      method: "PATCH",
      path: "/settings",
      body: { audit_strict: true },
      fields: ["audit_strict"],
    }),
    bad: { method: "PATCH", path: "/settings", body: { audit_strict: "x" } },
    reason: "invalid_field",
  },
};

const mutating = routes.filter(({ method, access }) => method !== "GET" && access === "administrator");

describe("AD-15 audit of administrators' acts", () => {
  it("AU-19: every mutating route has its row here", () => {
    expect(Object.keys(acts).toSorted()).toEqual(mutating.map(({ action }) => action).toSorted());
  });

  it.each(Object.keys(acts))("AD-15: %s is announced and recorded exactly once", async (action) => {
    const admin = await harness();
    const act = await acts[action]?.good(admin);
    if (act === undefined) throw new Error("unreachable");
    admin.events.length = 0;
    admin.announced_count = 0;
    const answer = await admin.send(act.method, act.path, act.body);
    expect(answer.status).toBeLessThan(300);
    expect(admin.announced_count).toBe(1);
    expect(admin.events).toEqual([
      {
        type: "admin.change",
        id: expect.any(String),
        tenant: admin.tenant,
        time: admin.now,
        actor: { agent: "administrator:one" },
        action,
        resource: action.split(".")[0],
        resource_id: expect.any(String),
        outcome: "ok",
        ...(act.fields === undefined ? {} : { fields: act.fields }),
      },
    ]);
    expect(auditEvent.safeParse(admin.events[0]).success).toBe(true);
  });

  it.each(Object.keys(acts))("AD-15: a refused %s is recorded exactly once and not announced", async (action) => {
    const admin = await harness();
    const row = acts[action];
    if (row === undefined) throw new Error("unreachable");
    const answer = await admin.send(row.bad.method, row.bad.path, row.bad.body);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(admin.announced_count).toBe(0);
    expect(admin.events).toEqual([expect.objectContaining({ action, outcome: "refused", reason: row.reason })]);
    expect(auditEvent.safeParse(admin.events[0]).success).toBe(true);
  });

  it.each([
    ["415", "POST", "/clients", { raw: "x", headers: { "content-type": "text/plain" } }, "unsupported_media_type"],
    ["400", "POST", "/clients", { raw: "{", headers: { "content-type": "application/json" } }, "not_json"],
    ["404 of no route", "POST", "/nothing", {}, "not_found"],
    ["405", "PUT", "/clients", {}, "method_not_allowed"],
  ])("AD-15: a refusal with %s is recorded exactly once", async (_status, method, path, sent, reason) => {
    const admin = await harness();
    await admin.send(method, path, undefined, sent);
    expect(admin.events).toEqual([expect.objectContaining({ outcome: "refused", reason })]);
  });

  it.each(["/servers", "/clients", "/tokens", "/settings", "/openapi.json", `/servers/${unknownId}`])(
    "AU-19: reading %s is not recorded",
    async (path) => {
      const admin = await harness();
      await admin.get(path);
      expect(admin.events).toEqual([]);
    },
  );

  it("AU-19: an event of a request with a long id or member stays within bounds", async () => {
    const admin = await harness();
    await admin.patch(`/servers/${"x".repeat(2000)}`, { ["n".repeat(5000)]: 1 });
    expect(auditEvent.safeParse(admin.events[0]).success).toBe(true);
  });
});
