import { env } from "cloudflare:workers";
import { decodeProtectedHeader } from "jose";
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { randomKey, vaultOf } from "../vault/support.ts";
import { Harness, harness, unavailable } from "./harness.ts";

let tenants = 0;

/** A tenant with two credentials, once the deployment has another key. */
async function rotatedHarness(): Promise<Harness> {
  tenants += 1;
  const old = randomKey();
  const before = new Harness(`v${tenants}`, await vaultOf(`k1:${old}`));
  for (const name of ["one", "two"]) await before.post("/credentials", { name, value: `sk-canary-${name}` });
  return new Harness(before.tenant, await vaultOf(`k2:${randomKey()} k1:${old}`));
}

async function keysInUse(admin: Harness): Promise<unknown[]> {
  const { results } = await env.DB.prepare("select credential from stored_credentials where tenant_id = ?")
    .bind(admin.tenant)
    .all<{ credential: string }>();
  return results.map(({ credential }) => decodeProtectedHeader(JSON.parse(credential))["kid"]);
}

describe("U11 progress of a rotation", () => {
  it("U11: without another key there is nothing to do", async () => {
    const admin = await harness();
    expect((await admin.get("/vault")).body).toEqual({
      ...{ current: "test", keys: [{ kid: "test" }], state: "none", seen_count: 0, rewrapped_count: 0 },
      ...{ failed_count: 0, removable: [] },
    });
  });

  it("U11: reading it begins nothing", async () => {
    const admin = await rotatedHarness();
    expect((await admin.get("/vault")).body).toMatchObject({ current: "k2", state: "none" });
    expect(await keysInUse(admin)).toEqual(["k1", "k1"]);
    expect(admin.events).toEqual([]);
  });

  it("U11: a step seals anew, tells how far it is, and is recorded", async () => {
    const admin = await rotatedHarness();
    const { status, body } = await admin.post("/vault/rewrap", {});
    expect([status, body]).toEqual([
      200,
      {
        ...{ current: "k2", keys: [{ kid: "k2" }, { kid: "k1" }], state: "running", seen_count: 2, rewrapped_count: 2 },
        ...{ failed_count: 0, started_at: admin.now, next_walk_at: admin.now + limits.rewrapSettle_ms, removable: [] },
      },
    ]);
    expect(await keysInUse(admin)).toEqual(["k2", "k2"]);
    expect((await admin.get("/vault")).body).toEqual(body);
    expect(admin.events).toEqual([
      expect.objectContaining({ action: "vault.rewrap", outcome: "ok", resource_id: admin.tenant }),
    ]);
  });

  it("U11: a step between the walks tells when the next one begins, and one in the midst of a walk does not", async () => {
    const admin = await rotatedHarness();
    const { body } = await admin.post("/vault/rewrap", {});
    admin.now += limits.rewrapSettle_ms - 1;
    expect((await admin.post("/vault/rewrap", {})).body).toEqual(body);
    admin.now += 1;
    const done = await admin.post("/vault/rewrap", {});
    expect(done.body).toMatchObject({ state: "done" });
    expect(done.text).not.toContain("next_walk_at");
    await env.DB.prepare("update vault_rotations set finished_at = null, stage = stage - 1 where tenant_id = ?")
      .bind(admin.tenant)
      .run();
    const midst = await admin.get("/vault");
    expect(midst.body).toMatchObject({ state: "running" });
    expect(midst.text).not.toContain("next_walk_at");
  });

  it("U11: when it is done, it tells from when on the old key may go, and then which", async () => {
    const admin = await rotatedHarness();
    await admin.post("/vault/rewrap", {});
    admin.now += limits.rewrapSettle_ms;
    const { body } = await admin.post("/vault/rewrap", {});
    const removable_at = admin.now + limits.oldKey_ms;
    expect(body).toMatchObject({ state: "done", finished_at: admin.now, removable_at, removable: [] });
    admin.now = removable_at;
    expect((await admin.get("/vault")).body).toMatchObject({ state: "done", removable: ["k1"] });
  });

  it("AD-16: no answer and no event holds a key or a secret", async () => {
    const admin = await rotatedHarness();
    const answers = [await admin.post("/vault/rewrap", {}), await admin.get("/vault")];
    const shown = JSON.stringify([answers.map(({ text }) => text), admin.events]);
    expect(shown).not.toMatch(/canary|eyJ|[A-Za-z0-9_-]{40}/);
  });

  it("AU-23: a step that cannot be recorded is not answered with success", async () => {
    const admin = await rotatedHarness();
    admin.recording = unavailable;
    expect((await admin.post("/vault/rewrap", {})).status).toBe(503);
  });

  it.each([
    ["an auditor", { readonly: true }, 403],
    ["nobody", { principal: undefined }, 401],
  ])("AD-01: %s cannot run a step", async (_who, changes, status) => {
    const admin = (await rotatedHarness()).as(changes);
    expect((await admin.post("/vault/rewrap", {})).status).toBe(status);
    expect(await keysInUse(admin)).toEqual(["k1", "k1"]);
  });

  it("AD-08: a step takes no members", async () => {
    const admin = await rotatedHarness();
    expect((await admin.post("/vault/rewrap", { kid: "k1" })).status).toBe(422);
    expect(await keysInUse(admin)).toEqual(["k1", "k1"]);
  });

  it("TN-01: a step of one tenant leaves the records of another", async () => {
    const [admin, other] = [await rotatedHarness(), await rotatedHarness()];
    await admin.post("/vault/rewrap", {});
    expect(await keysInUse(other)).toEqual(["k1", "k1"]);
  });
});
