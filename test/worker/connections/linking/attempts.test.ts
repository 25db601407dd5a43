/** Attempts to link, on real D1: who uses one, how often, and whose they are. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { linkAttempts, type NewAttempt } from "../../../../src/connections/linking/attempts.ts";
import { openDatabase } from "../../../../src/db/index.ts";
import { limits } from "../../../../src/limits.ts";

const now = 1_800_000_000_000;
const database = openDatabase(env.DB);
let tenant: string;
let attempts: ReturnType<typeof linkAttempts>;
beforeEach(() => {
  tenant = `attempts-${crypto.randomUUID()}`;
  attempts = linkAttempts(database, tenant);
});

const attempt = (more: Partial<NewAttempt> = {}): NewAttempt => ({
  ...{ state_hash: crypto.randomUUID(), link_id: "link", user_id: "ada", server_id: "s", pending: "" },
  ...{ created_at: now, expires_at: now + limits.link_ms },
  ...more,
});

describe("using an attempt (U9, UP-13)", () => {
  it("UP-13: of 50 at once with one state one succeeds", async () => {
    const row = attempt();
    await attempts.begin(row);
    const used = await Promise.all(Array.from({ length: 50 }, () => attempts.use(row.state_hash, "ada", now)));
    expect(used.filter(Boolean)).toHaveLength(1);
  });

  it("U9: of 20 at once for one link one succeeds", async () => {
    const rows = Array.from({ length: 20 }, () => attempt());
    for (const row of rows) expect(await attempts.begin(row)).toBe(true);
    const used = await Promise.all(rows.map(({ state_hash }) => attempts.use(state_hash, "ada", now)));
    expect(used.filter(Boolean)).toHaveLength(1);
    expect(await attempts.isUsed("link")).toBe(true);
  });

  it("UP-14: nobody uses what another person began", async () => {
    const row = attempt();
    await attempts.begin(row);
    expect(await attempts.use(row.state_hash, "ben", now)).toBe(false);
    expect(await attempts.find(row.state_hash)).toMatchObject({ used_at: null });
  });

  it("U9: nobody uses what is over", async () => {
    const row = attempt();
    await attempts.begin(row);
    expect(await attempts.use(row.state_hash, "ada", row.expires_at)).toBe(false);
    expect(await attempts.use(row.state_hash, "ada", row.expires_at - 1)).toBe(true);
  });

  it("U9: what came to nothing is forgotten, and its link is good again", async () => {
    const [first, second] = [attempt(), attempt()];
    await attempts.begin(first);
    await attempts.begin(second);
    await attempts.use(first.state_hash, "ada", now);
    expect(await attempts.use(second.state_hash, "ada", now)).toBe(false);
    await attempts.forget(first.state_hash);
    expect(await attempts.use(second.state_hash, "ada", now)).toBe(true);
    expect(await attempts.find(first.state_hash)).toBeUndefined();
  });

  it("U9: of 50 keys that are pasted at once with one link one is taken", async () => {
    const taken = await Promise.all(Array.from({ length: 50 }, () => attempts.beginUsed(attempt())));
    expect(taken.filter(Boolean)).toHaveLength(1);
  });

  it("F10: another tenant has neither the attempt nor the use of its link", async () => {
    const row = attempt();
    await attempts.begin(row);
    const others = linkAttempts(database, `other-${tenant}`);
    expect(await others.use(row.state_hash, "ada", now)).toBe(false);
    await attempts.use(row.state_hash, "ada", now);
    expect([await others.isUsed("link"), await others.find(row.state_hash)]).toEqual([false, undefined]);
  });
});

describe("the bound of one person (U9)", () => {
  it("U9, RX-16: holds exactly, however many begin at once", async () => {
    const begun = await Promise.all(
      Array.from({ length: limits.linkAttemptsPerUser_count + 20 }, () => attempts.begin(attempt())),
    );
    expect(begun.filter(Boolean)).toHaveLength(limits.linkAttemptsPerUser_count);
    expect(await attempts.begin(attempt({ user_id: "ben" }))).toBe(true);
  }, 30_000);

  it("U9, RX-16: what is over counts no more, and is swept", async () => {
    // A sweep takes a bounded part of what is over in all tenants.
    await env.DB.prepare("delete from link_attempts").run();
    const old = attempt({ state_hash: `old-${tenant}` });
    for (let count = 0; count < limits.linkAttemptsPerUser_count; count += 1) {
      await attempts.begin(attempt(count === 0 ? { state_hash: old.state_hash } : {}));
    }
    expect(await attempts.begin(attempt())).toBe(false);
    const later = now + limits.link_ms + 1;
    expect(await attempts.begin(attempt({ created_at: later, expires_at: later + limits.link_ms }))).toBe(true);
    expect(await attempts.find(old.state_hash)).toBeUndefined();
  }, 30_000);
});
