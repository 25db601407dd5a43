/** What may be used once or so often, in real D1. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../../src/db/index.ts";
import { countAttempt, isHeldOff, useOnce } from "../../../src/trust/index.ts";

const database = openDatabase(env.DB);
const now = Date.now();
let tenant: string;

beforeEach(() => {
  tenant = crypto.randomUUID();
});

const rows = async (table: "used_ids" | "attempts"): Promise<number> => {
  const counted = await env.DB.prepare(`SELECT count(*) AS count FROM ${table} WHERE tenant_id = ?`)
    .bind(tenant)
    .first<{ count: number }>();
  return counted?.count ?? 0;
};

describe("useOnce", () => {
  const use = (id: string, purpose = "assertion", at = now) => useOnce(database, tenant, purpose, id, at + 1000, at);

  it("TK-24: of 50 parallel uses exactly one wins", async () => {
    const used = await Promise.all(Array.from({ length: 50 }, () => use("a")));
    expect(used.filter(Boolean)).toHaveLength(1);
    expect(await use("a")).toBe(false);
  });

  it("TK-24: another id, purpose or tenant is another matter", async () => {
    expect(await use("a")).toBe(true);
    expect(await use("b")).toBe(true);
    expect(await use("a", "other")).toBe(true);
    tenant = crypto.randomUUID();
    expect(await use("a")).toBe(true);
  });

  it("TK-24: rows go once nobody would accept what they stand for", async () => {
    await use("a");
    await use("b", "assertion", now + 1000);
    expect(await rows("used_ids")).toBe(2);
    await use("c", "assertion", now + 1001);
    expect(await rows("used_ids")).toBe(2);
  });
});

describe("countAttempt", () => {
  const rule = { purpose: "test", count_max: 3, window_ms: 1000 };

  it("CR-12: of 50 parallel attempts the maximum gets through", async () => {
    const counted = await Promise.all(
      Array.from({ length: 50 }, () => countAttempt(database, tenant, rule, "me", now)),
    );
    expect(counted.filter(Boolean)).toHaveLength(3);
  });

  it("CR-12: the window is that of the first attempt, and then begins anew", async () => {
    for (let count = 0; count < 3; count += 1) await countAttempt(database, tenant, rule, "me", now + count);
    expect(await isHeldOff(database, tenant, rule, "me", now + 999)).toBe(true);
    expect(await countAttempt(database, tenant, rule, "me", now + 999)).toBe(false);
    expect(await isHeldOff(database, tenant, rule, "me", now + 1000)).toBe(false);
    expect(await countAttempt(database, tenant, rule, "me", now + 1000)).toBe(true);
  });

  it("CR-12: others are not held off, and rows go", async () => {
    for (let count = 0; count < 4; count += 1) await countAttempt(database, tenant, rule, "me", now);
    expect(await isHeldOff(database, tenant, rule, "you", now)).toBe(false);
    expect(await isHeldOff(database, tenant, { ...rule, purpose: "other" }, "me", now)).toBe(false);
    await countAttempt(database, tenant, rule, "you", now + 1000);
    expect(await rows("attempts")).toBe(1);
  });
});
