/** `/api/v1/connections`: what administrators see of connections, and how they end one. */
import { beforeEach, describe, expect, it } from "vitest";
import { liveCredential } from "../../../src/connections/index.ts";
import { announceChange } from "../../../src/tenant/index.ts";
import { connectionStore, type ConnectionKey } from "../../../src/vault/index.ts";
import { harness, type Harness } from "../admin/harness.ts";
import { addUser } from "../admin/people.ts";

let admin: Harness;
let key: ConnectionKey;
let server: { id: string; slug: string };

beforeEach(async () => {
  admin = await harness();
  const made = await admin.send("POST", "/servers", {
    ...{ slug: "up", url: "https://up.example.com/mcp" },
    authentication: { type: "bearer", holder: "user" },
  });
  server = made.body;
  await announceChange((await admin.visit()).platform, admin.tenant);
  key = { user_id: await addUser(admin), target: server.id, account: "default" };
});

async function link(of: ConnectionKey = key, fit = JSON.stringify(["bearer", "https://up.example.com/mcp"])) {
  const store = connectionStore(await admin.visit());
  const put = await store.put(of, {
    credential: { kind: "secret", value: "secret-key-1", username: "secret-name-1" },
    ...{ issuer: "", token_endpoint: "", revocation_endpoint: null, client_id: "" },
    ...{ scope: null, asked_scope: null, fit, step_ups: 0 },
  });
  if (put !== "stored") throw new Error(put);
  return (await store.find(of))?.id ?? "";
}

describe("/connections", () => {
  it("U14: lists whose they are, for which server, and in which state, without anything secret", async () => {
    const id = await link();
    await link({ ...key, account: "old" }, "another");
    await link({ ...key, target: crypto.randomUUID() });
    await link({ user_id: "", target: "idp", account: "default" }, "");
    const listed = await admin.send("GET", "/connections");
    expect(listed.status).toBe(200);
    expect(listed.body.items).toMatchObject([
      { id, user_id: key.user_id, server: "up", account: "default", state: "linked", is_default: true, issuer: null },
      { account: "old", state: "needs_update", is_default: false },
      { server: null, state: "orphaned" },
      { user_id: null, server: null, target: "idp", state: "linked" },
    ]);
    const read = await admin.send("GET", `/connections/${id}`);
    expect(read.body).toEqual(listed.body.items[0]);
    expect(listed.text + read.text).not.toMatch(/secret-|ciphertext|credential"/);
  });

  it("U14: pages follow one another", async () => {
    const ids = [await link(), await link({ ...key, account: "two" }), await link({ ...key, account: "three" })];
    const first = await admin.send("GET", "/connections?limit=2");
    const second = await admin.send("GET", `/connections?limit=2&cursor=${first.body.next}`);
    expect([...first.body.items, ...second.body.items].map(({ id }) => id)).toEqual(ids);
    expect(second.body.next).toBeNull();
  });

  it("U14: an administrator ends one: it is used no more, announced and recorded", async () => {
    const id = await link();
    const announced = admin.announced_count;
    expect((await admin.send("DELETE", `/connections/${id}`)).status).toBe(204);
    expect(admin.announced_count).toBe(announced + 1);
    expect(admin.events.at(-1)).toMatchObject({ action: "connection.delete", outcome: "ok", resource_id: id });
    await announceChange((await admin.visit()).platform, admin.tenant);
    const found = await liveCredential(await admin.visit(), key, {});
    expect(found).toMatchObject({ ok: false, error: { code: "link_needed", reason: "not_linked" } });
    expect((await admin.send("GET", `/connections/${id}`)).status).toBe(404);
    expect((await admin.send("DELETE", `/connections/${id}`)).status).toBe(404);
  });

  it("TN-01: that of another tenant is not there", async () => {
    const id = await link();
    const other = await harness();
    expect((await other.send("GET", `/connections/${id}`)).status).toBe(404);
    expect((await other.send("DELETE", `/connections/${id}`)).status).toBe(404);
    expect((await other.send("GET", "/connections")).body.items).toEqual([]);
    expect((await admin.send("GET", `/connections/${id}`)).status).toBe(200);
  });

  it.each(["POST", "PATCH", "PUT"])("VT-12: there is no %s, and no way to a credential", async (method) => {
    const id = await link();
    for (const path of ["", "/credential", "/token", "/secret"]) {
      const answer = await admin.send(method, `/connections/${id}${path}`, {});
      expect([404, 405]).toContain(answer.status);
      const read = path === "" ? undefined : await admin.send("GET", `/connections/${id}${path}`);
      expect(read?.status ?? 404).toBe(404);
    }
  });
});
