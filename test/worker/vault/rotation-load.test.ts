/** Rotation while everything is in use, and while the process that does it dies. */
import { and, eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { isDatabaseFailure, stored_credentials } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { rewrap, storedCredentialBinding, type Vault } from "../../../src/vault/index.ts";
import { addAll, addStored, database, hookedDatabase, newTenant, recordsOf, world } from "./rotation-support.ts";
import { randomKey, vaultOf } from "./support.ts";

const one = randomKey();
const two = randomKey();
const former = await vaultOf(`k1:${one}`);
const rotated = await vaultOf(`k2:${two} k1:${one}`);
const withoutFormer = await vaultOf(`k2:${two}`);

const rowOf = (tenant: string, id: string) =>
  and(eq(stored_credentials.tenant_id, tenant), eq(stored_credentials.id, id));

/** As a caller reads a record: from the row as it is now. */
async function readStored(vault: Vault, tenant: string, id: string): Promise<string> {
  const [row] = await database.select().from(stored_credentials).where(rowOf(tenant, id));
  const opened = await vault.open(storedCredentialBinding(tenant, id, row?.revision ?? -1), row?.credential ?? "");
  return opened.ok ? opened.value : `refused: ${opened.error.reason}`;
}

/** As a caller writes one: another revision, compare-and-set. */
async function writeStored(vault: Vault, tenant: string, id: string, text: string): Promise<boolean> {
  const [row] = await database.select().from(stored_credentials).where(rowOf(tenant, id));
  const revision = (row?.revision ?? 0) + 1;
  const credential = await vault.seal(storedCredentialBinding(tenant, id, revision), text);
  const written = await database
    .update(stored_credentials)
    .set({ credential, revision })
    .where(and(rowOf(tenant, id), eq(stored_credentials.revision, revision - 1)))
    .returning({ id: stored_credentials.id });
  return written.length > 0;
}

class Killed extends Error {}

/** Runs a step that dies at one use of the database. @returns whether it came that far */
async function killedAt(use: number, moment: "before" | "after", tenant: string, time: number): Promise<boolean> {
  const binding = hookedDatabase((number, now) => {
    if (number === use && now === moment) throw new Killed();
  });
  const { platform, ports } = world(binding);
  ports.clock.time = time;
  try {
    await rewrap(platform, rotated, tenant);
    return false;
  } catch (thrown) {
    if (!isDatabaseFailure(thrown)) throw thrown;
    return true;
  }
}

describe("VT-05 rotation under load", () => {
  it.each(["before", "after"] as const)(
    "VT-05: killed %s every use of the database in turn, it loses nothing and ends as if it had not been",
    async (moment) => {
      const tenant = newTenant();
      await addAll(former, tenant);
      for (const id of ["c2", "c3"]) await addStored(former, tenant, id);
      const texts = (await recordsOf(former, tenant)).map(({ text }) => text);
      let { time } = world().ports.clock;
      let kills = 0;
      for (let use = 0; use < 100; use += 1) {
        // Each use is reached from where the kill before it left the rotation.
        const died = await killedAt(use, moment, tenant, time);
        expect((await recordsOf(rotated, tenant)).map(({ text }) => text)).toEqual(texts);
        if (died) kills += 1;
        else if (use > 0) break;
        time += limits.rewrapSettle_ms;
      }
      expect(kills).toBeGreaterThan(3);
      const { platform, ports } = world();
      ports.clock.time = time;
      let progress = await rewrap(platform, rotated, tenant);
      ports.clock.time += limits.rewrapSettle_ms;
      progress = await rewrap(platform, rotated, tenant);
      expect(progress).toMatchObject({ state: "done", seen_count: 9, rewrapped_count: 9, failed_count: 0 });
      expect((await recordsOf(withoutFormer, tenant)).map(({ text }) => text)).toEqual(texts);
    },
  );

  it.each(["before", "after"] as const)(
    "VT-05: killed %s the same use again and again, the next step still ends it",
    async (moment) => {
      for (let use = 0; use < 12; use += 1) {
        const tenant = newTenant();
        await addAll(former, tenant);
        const { platform, ports } = world();
        for (let times = 0; times < 2; times += 1) await killedAt(use, moment, tenant, ports.clock.time);
        await rewrap(platform, rotated, tenant);
        ports.clock.time += limits.rewrapSettle_ms;
        const progress = await rewrap(platform, rotated, tenant);
        expect([use, progress.state, progress.rewrapped_count]).toEqual([use, "done", 7]);
      }
    },
    30_000,
  );

  it("VT-17: whoever writes between reading and replacing has won, and their record comes next", async () => {
    const tenant = newTenant();
    await addStored(former, tenant, "c1");
    let wrote = false;
    // The first batch is the one with the replacement: an old isolate writes just before it.
    const { platform, ports } = world(
      hookedDatabase(async (_use, moment, kind) => {
        if (moment === "before" && kind === "batch" && !wrote) wrote = await writeStored(former, tenant, "c1", "newer");
      }),
    );
    const first = await rewrap(platform, rotated, tenant);
    expect([wrote, first.rewrapped_count]).toEqual([true, 0]);
    expect(await readStored(rotated, tenant, "c1")).toBe("newer");
    for (let walks = 0; walks < 2; walks += 1) {
      ports.clock.time += limits.rewrapSettle_ms;
      await rewrap(platform, rotated, tenant);
    }
    expect(await readStored(withoutFormer, tenant, "c1")).toBe("newer");
  });

  it("VT-05: steps beside each other count each record once, and go no step back", async () => {
    const tenant = newTenant();
    await addAll(former, tenant);
    const { platform, ports } = world();
    for (let walks = 0; walks < 2; walks += 1) {
      await Promise.all(Array.from({ length: 4 }, () => rewrap(platform, rotated, tenant)));
      ports.clock.time += limits.rewrapSettle_ms;
    }
    expect(await rewrap(platform, rotated, tenant)).toMatchObject({
      ...{ state: "done", seen_count: 7, rewrapped_count: 7, failed_count: 0 },
    });
  });

  it("VT-05: callers of both deployments read and write beside four steps, and none fails", async () => {
    const tenant = newTenant();
    const ids = Array.from({ length: 12 }, (_, at) => `c${at}`);
    for (const id of ids) await addStored(former, tenant, id);
    const expected = new Map(ids.map((id) => [id, `text of ${id}`]));
    const failures: string[] = [];
    const caller = async (id: string, writer: Vault): Promise<void> => {
      for (let times = 0; times < 8; times += 1) {
        const text = await readStored(rotated, tenant, id);
        if (text !== expected.get(id)) failures.push(`${id}: ${text}`);
        if (await writeStored(writer, tenant, id, `${id} ${times}`)) expected.set(id, `${id} ${times}`);
        else failures.push(`${id}: not written`);
      }
    };
    const { platform, ports } = world();
    const stepper = async (): Promise<void> => {
      for (let times = 0; times < 6; times += 1) {
        await rewrap(platform, rotated, tenant);
        ports.clock.time += limits.rewrapSettle_ms;
      }
    };
    const work = ids.map((id, at) => caller(id, at % 3 === 0 ? former : rotated));
    await Promise.all([...work, stepper(), stepper(), stepper(), stepper()]);
    expect(failures).toEqual([]);
    for (let walks = 0; walks < 3; walks += 1) await stepper();
    expect((await rewrap(platform, rotated, tenant)).state).toBe("done");
    for (const id of ids) expect(await readStored(withoutFormer, tenant, id)).toBe(expected.get(id));
  }, 30_000);
});
