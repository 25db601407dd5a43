import { eq, getTableColumns, getTableName, is } from "drizzle-orm";
import { SQLiteTable } from "drizzle-orm/sqlite-core";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import * as schema from "../../../src/db/schema.ts";
import { limits } from "../../../src/limits.ts";
import { rewrap, rotationProgress, storedCredentialBinding, type Vault } from "../../../src/vault/index.ts";
import { sealedColumns } from "../../../src/vault/sealed-columns.ts";
import { addAll, addStored, database, newTenant, recordsOf, world, type World } from "./rotation-support.ts";
import { randomKey, start, vaultOf } from "./support.ts";

const one = randomKey();
const two = randomKey();
const former = await vaultOf(`k1:${one}`);
const rotated = await vaultOf(`k2:${two} k1:${one}`);
const withoutFormer = await vaultOf(`k2:${two}`);
const { stored_credentials } = schema;

/** Steps of the timer until both walks are done. */
async function rewrapAll({ platform, ports }: World, vault: Vault, tenant: string) {
  for (let steps = 0; steps < 20; steps += 1) {
    const progress = await rewrap(platform, vault, tenant);
    if (progress.state === "done") return progress;
    ports.clock.time += limits.rewrapSettle_ms;
  }
  throw new Error("The rotation does not end.");
}

describe("VT-05 rotation of key-encryption keys", () => {
  it("VT-05: every record ends under the new key, with its text", async () => {
    const tenant = newTenant();
    await addAll(former, tenant);
    const before = await recordsOf(former, tenant);
    await rewrapAll(world(), rotated, tenant);
    const after = await recordsOf(withoutFormer, tenant);
    expect(before.map(({ kid }) => kid)).toEqual(sealedColumns.map(() => "k1"));
    expect(after).toEqual(before.map((found) => ({ ...found, kid: "k2" })));
  });

  it("VT-05: no column that keeps something sealed is forgotten", () => {
    const looks = /^(?:credential|header_secrets|private_key|pending|response)$/;
    const columns = Object.values(schema).flatMap((table: unknown) =>
      is(table, SQLiteTable)
        ? Object.values(getTableColumns(table)).map(({ name }) => `${getTableName(table)}.${name}`)
        : [],
    );
    const shortLived = ["idempotency_keys.response", "link_attempts.pending"];
    const walked = sealedColumns.map(({ table, column }) => `${table}.${column}`);
    expect(columns.filter((name) => looks.test(name.split(".")[1] ?? "")).toSorted()).toEqual(
      [...walked, ...shortLived].toSorted(),
    );
  });

  it("VT-05: versions of rows do not move", async () => {
    const tenant = newTenant();
    await addStored(former, tenant, "c1");
    await rewrapAll(world(), rotated, tenant);
    const [row] = await database.select().from(stored_credentials).where(eq(stored_credentials.tenant_id, tenant));
    expect(row).toMatchObject({ revision: 3, updated_at: start });
  });

  it("VT-05: records of another tenant stay as they are", async () => {
    const [tenant, other] = [newTenant(), newTenant()];
    await addAll(former, tenant);
    await addAll(former, other);
    const before = await recordsOf(former, other);
    await rewrapAll(world(), rotated, tenant);
    expect(await recordsOf(former, other)).toEqual(before);
    expect(await rotationProgress(database, other, rotated, start)).toMatchObject({ state: "none" });
  });

  it("VT-05: with one key from the beginning there is nothing to do, and nothing is written", async () => {
    const tenant = newTenant();
    await addStored(former, tenant, "c1");
    const { platform } = world();
    expect(await rewrap(platform, former, tenant)).toEqual({
      ...{ current: "k1", keys: [{ kid: "k1" }], state: "none", seen_count: 0, rewrapped_count: 0, failed_count: 0 },
      removable: [],
    });
    const rows = await env.DB.prepare("select 1 from vault_rotations where tenant_id = ?").bind(tenant).all();
    expect(rows.results).toEqual([]);
  });

  it("VT-05: a step is bounded, and the next one goes on behind it", async () => {
    const tenant = newTenant();
    const count = limits.rewrap_count + 30;
    const sealed = await Promise.all(
      Array.from({ length: count }, async (_, at) => {
        const id = `c${String(at).padStart(4, "0")}`;
        return { id, credential: await former.seal(storedCredentialBinding(tenant, id, 1), id) };
      }),
    );
    const row = "?1, value ->> 'id', value ->> 'id', 'organisation', '', value ->> 'credential', 1, 0, 0";
    await env.DB.prepare(`insert into stored_credentials select ${row} from json_each(?2)`)
      .bind(tenant, JSON.stringify(sealed))
      .run();
    const { platform } = world();
    const first = await rewrap(platform, rotated, tenant);
    expect(first.state).toBe("running");
    expect(first.seen_count).toBeGreaterThan(limits.rewrap_count - 2 * limits.rewrapBatch_count);
    expect(first.seen_count).toBeLessThanOrEqual(limits.rewrap_count);
    expect(first.rewrapped_count).toBe(first.seen_count);
    const second = await rewrap(platform, rotated, tenant);
    expect(second).toMatchObject({ state: "running", seen_count: count, rewrapped_count: count, failed_count: 0 });
  }, 30_000);

  it("VT-05: the second walk waits until nobody seals under the old key any more", async () => {
    const tenant = newTenant();
    await addAll(former, tenant);
    const { platform, ports } = world();
    await rewrap(platform, rotated, tenant);
    ports.clock.time += limits.rewrapSettle_ms - 1;
    expect(await rewrap(platform, rotated, tenant)).toMatchObject({ state: "running", rewrapped_count: 7 });
    ports.clock.time += 1;
    expect(await rewrap(platform, rotated, tenant)).toMatchObject({ state: "done", seen_count: 7, rewrapped_count: 7 });
  });

  it("VT-05: what an old isolate sealed behind the first walk is found, and one more walk follows", async () => {
    const tenant = newTenant();
    const { platform, ports } = world();
    await addStored(former, tenant, "c2");
    await rewrap(platform, rotated, tenant);
    await addStored(former, tenant, "c1");
    ports.clock.time += limits.rewrapSettle_ms;
    expect(await rewrap(platform, rotated, tenant)).toMatchObject({ state: "running", rewrapped_count: 2 });
    expect((await recordsOf(withoutFormer, tenant)).map(({ kid }) => kid)).toEqual(["k2", "k2"]);
    ports.clock.time += limits.rewrapSettle_ms;
    expect(await rewrap(platform, rotated, tenant)).toMatchObject({ state: "done", seen_count: 2, rewrapped_count: 2 });
  });

  it("VT-05: the old key may leave once nothing that a client carries is under it", async () => {
    const tenant = newTenant();
    await addStored(former, tenant, "c1");
    const { finished_at = 0, ...progress } = await rewrapAll(world(), rotated, tenant);
    const removable_at = finished_at + limits.oldKey_ms;
    expect(progress).toMatchObject({ removable: [], removable_at });
    const at = async (now: number) => (await rotationProgress(database, tenant, rotated, now)).removable;
    expect([await at(removable_at - 1), await at(removable_at)]).toEqual([[], ["k1"]]);
    const left = await rotationProgress(database, tenant, withoutFormer, removable_at);
    expect(left).toMatchObject({ state: "done", keys: [{ kid: "k2" }], removable: [] });
  });

  it("VT-05: session ids and unused refresh tokens live no longer than an old key is kept", () => {
    expect(limits.oldKey_ms).toBeGreaterThanOrEqual(Math.max(limits.session_ms, limits.refreshIdle_ms, limits.link_ms));
    expect(limits.oldKey_ms).toBeGreaterThanOrEqual(Math.max(limits.taskHandle_ms, limits.idempotency_ms));
    expect(limits.rewrapSettle_ms).toBeGreaterThan(Math.max(limits.listen_ms, limits.upstreamTotal_ms));
  });

  it("VT-05: another key on the way begins anew, and brings everything under it", async () => {
    const tenant = newTenant();
    await addAll(former, tenant);
    await rewrap(world().platform, rotated, tenant);
    const third = await vaultOf(`k3:${randomKey()} k2:${two} k1:${one}`);
    const progress = await rewrapAll(world(), third, tenant);
    expect(progress).toMatchObject({ current: "k3", rewrapped_count: 7, failed_count: 0 });
    expect(new Set((await recordsOf(third, tenant)).map(({ kid }) => kid))).toEqual(new Set(["k3"]));
  });
});

describe("VT-02 records that do not open", () => {
  const spoil = async (tenant: string, id: string, credential: string): Promise<void> => {
    await env.DB.prepare("update stored_credentials set credential = ? where tenant_id = ? and id = ?")
      .bind(credential, tenant, id)
      .run();
  };
  const textOf = (tenant: string, id: string) =>
    env.DB.prepare("select credential from stored_credentials where tenant_id = ? and id = ?")
      .bind(tenant, id)
      .first<string>("credential");

  it.each([
    ["VT-02", "is damaged", "vault_tamper", async () => "{}"],
    [
      "VT-03",
      "was another row's",
      "vault_tamper",
      (tenant: string) => former.seal(storedCredentialBinding(tenant, "c1", 3), "x"),
    ],
    [
      "VT-04",
      "is a revision behind",
      "vault_tamper",
      (tenant: string) => former.seal(storedCredentialBinding(tenant, "c2", 2), "x"),
    ],
    [
      "VT-05",
      "is under a key that nobody has",
      "vault_key_unknown",
      async (tenant: string) =>
        (await vaultOf(`k0:${randomKey()}`)).seal(storedCredentialBinding(tenant, "c2", 3), "x"),
    ],
  ])(
    "%s: one that %s stops nothing, is counted, named in the log, and left as it is",
    async (_id, _what, reason, make) => {
      const tenant = newTenant();
      for (const id of ["c1", "c2", "c3"]) await addStored(former, tenant, id);
      const spoiled = await make(tenant);
      await spoil(tenant, "c2", spoiled);
      const run = world();
      const progress = await rewrapAll(run, rotated, tenant);
      expect(progress).toMatchObject({ state: "done", seen_count: 3, rewrapped_count: 2, failed_count: 1 });
      expect(await textOf(tenant, "c2")).toBe(spoiled);
      const line = { tenant, place: "stored_credentials.credential", record: "c2", reason };
      // Once for each walk.
      expect(run.logged.map(({ fields }) => fields)).toEqual([line, line]);
      expect(JSON.stringify(run.logged)).not.toContain("text of");
    },
  );
});
