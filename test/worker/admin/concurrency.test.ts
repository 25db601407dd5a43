/** What happens between the read and the write of another administrator: the statements themselves must hold. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { clientsRepository } from "../../../src/admission/index.ts";
import { openDatabase } from "../../../src/db/index.ts";
import { serversRepository } from "../../../src/registry/index.ts";
import { defaultSettings, settingsStore } from "../../../src/tenant/index.ts";
import { harness } from "./harness.ts";

const database = openDatabase(env.DB);

describe("AD-12 stale versions", () => {
  it("AD-12: a server that has changed is not overwritten", async () => {
    const admin = await harness();
    const { id, updated_at, name } = await admin.server();
    const repository = serversRepository(database, admin.tenant);
    expect(await repository.update(id, updated_at - 1, { name: "stale" }, admin.now)).toBeUndefined();
    expect((await repository.get(id))?.name).toBe(name);
  });

  it("AD-12: a server that has changed is not removed, nor its place in the allow-lists", async () => {
    const admin = await harness();
    const { id, updated_at } = await admin.server();
    const client = await admin.client({ servers: [id] });
    expect(await serversRepository(database, admin.tenant).remove(id, updated_at - 1, admin.now)).toBe(false);
    expect((await admin.get(`/clients/${client.id}`)).body.servers).toEqual([id]);
  });

  it("AD-12: a client that has changed is not overwritten", async () => {
    const admin = await harness();
    const { id, updated_at, name } = await admin.client();
    const repository = clientsRepository(database, admin.tenant);
    expect(await repository.update(id, updated_at - 1, { name: "stale" }, admin.now, false)).toBeUndefined();
    expect((await repository.get(id))?.name).toBe(name);
  });

  it("AD-12: a client that has changed is not removed, nor its tokens", async () => {
    const admin = await harness();
    const { id, updated_at } = await admin.client();
    await admin.token(id);
    expect(await clientsRepository(database, admin.tenant).remove(id, updated_at - 1, admin.now)).toBe(false);
    expect((await admin.get(`/clients/${id}`)).body.tokens).toHaveLength(1);
  });

  it.each([0, 1])("AD-12: settings that have changed are not overwritten from version %i", async (seen) => {
    const admin = await harness();
    await admin.patch("/settings", { audit_strict: true });
    const store = settingsStore(database, admin.tenant);
    expect(await store.write(defaultSettings, seen, admin.now)).toBeUndefined();
    expect((await store.read()).settings.audit_strict).toBe(true);
  });

  it("AD-12: a version grows also when the clock goes back", async () => {
    const admin = await harness();
    const { id, updated_at } = await admin.server();
    admin.now -= 60_000;
    expect((await admin.patch(`/servers/${id}`, { name: "x" })).body.updated_at).toBe(updated_at + 1);
  });
});
