/** VT-03: a credential that no call can be made with is not called ready, so that an administrator sees which must be given again. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { serverCredentialBinding } from "../../../src/vault/index.ts";
import { harness, type Answered, type Harness } from "./harness.ts";
import { member, secret, url } from "./servers-support.ts";

const credential = { type: "bearer", token: secret };

async function withCredential(admin: Harness): Promise<string> {
  const { body } = await admin.post("/servers", { slug: "x", url, authentication: { type: "bearer" }, credential });
  expect(body).toMatchObject({ ready: true });
  return String(body.id);
}

/** How the server is shown after somebody else than Gatehouse wrote to its row. */
async function edited(admin: Harness, id: string, column: string, value: string | number): Promise<Answered> {
  await env.DB.prepare(`update servers set ${column} = ? where tenant_id = ? and id = ?`)
    .bind(value, admin.tenant, id)
    .run();
  return admin.get(`/servers/${id}`);
}

function expectNotReady(answer: Answered): void {
  expect([answer.status, answer.body]).toMatchObject([200, { ready: false, credential: { set: true } }]);
  expect(member(answer, "ready_detail")).toContain('Send it again as "credential".');
  expect(answer.text).not.toContain(secret);
}

describe("VT-03: a stored credential", () => {
  it("VT-03: of release 0.1.0 is not called ready, until it is sent again", async () => {
    const admin = await harness();
    const id = await withCredential(admin);
    const binding = serverCredentialBinding(admin.tenant, id, 1);
    const sealed = await admin.vault.seal(binding, JSON.stringify(credential));
    expectNotReady(await edited(admin, id, "credential", sealed));
    expect((await admin.get("/servers")).body.items).toMatchObject([{ ready: false }]);
    expect((await admin.patch(`/servers/${id}`, { credential })).body).toMatchObject({ ready: true });
  });

  it.each([
    ["given for another address", "url", "https://elsewhere.example.com/mcp"],
    ["given for another use", "authentication", '{"type":"api_key_header","header":"X-Key","holder":"organisation"}'],
    ["of another revision", "revision", 7],
    ["that does not open", "credential", "no-jwe"],
  ])("VT-03: %s is not called ready", async (_title, column, value) => {
    const admin = await harness();
    expectNotReady(await edited(admin, await withCredential(admin), column, value));
  });

  it("VT-03: that nothing needs does not stand in the way", async () => {
    const admin = await harness();
    const answer = await edited(admin, await withCredential(admin), "authentication", '{"type":"none"}');
    expect(answer.body).toMatchObject({ ready: true });
  });
});
