import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import * as fc from "fast-check";
import { ledgerName, outboxName } from "../../../src/audit/index.ts";
import { parseConfiguration } from "../../../src/env.ts";
import { modernPost, setUp } from "../gateway/support.ts";
import { ask, createWorld, echoUpstream } from "./support.ts";

/** Texts that are likely to collide where parts are put together without care. */
const part = fc.string({
  unit: fc.constantFrom("a", "b", ":", "1", "2", "0", "-", '"', ",", " ", "[", "]"),
  maxLength: 6,
});
const shard = fc.integer({ min: 0, max: 12 });
const runs = { numRuns: 100_000, seed: 20261121 };

describe("names of Durable Objects", () => {
  it("TN-07: no two tenants share an Outbox", () => {
    const names = new Map<string, string>();
    fc.assert(
      fc.property(part, shard, (tenant, at) => {
        const name = outboxName(tenant, at);
        const owner = JSON.stringify([tenant, at]);
        const known = names.get(name) ?? owner;
        names.set(name, owner);
        return known === owner;
      }),
      runs,
    );
  });

  it("TN-07: no two tenants share a Ledger", () => {
    const names = new Map<string, string>();
    fc.assert(
      fc.property(
        part,
        fc.integer({ min: 2000, max: 2002 }),
        fc.integer({ min: 0, max: 11 }),
        (tenant, year, month) => {
          const name = ledgerName(tenant, Date.UTC(year, month, 15));
          const owner = JSON.stringify([tenant, year, month]);
          const known = names.get(name) ?? owner;
          names.set(name, owner);
          return known === owner;
        },
      ),
      runs,
    );
  });

  it("TN-07: an Outbox and a Ledger are never taken for each other", () => {
    fc.assert(
      fc.property(
        part,
        shard,
        part,
        (one, at, other) => outboxName(one, at) !== ledgerName(other, Date.UTC(2026, 10, 15)),
      ),
      runs,
    );
  });

  it.each(["a:b", "a/b", "a b", "A", "", "a=", "(unreadable)", "a.b", "-a", "a-"])(
    'TN-07: "%s" is no tenant id in the first place',
    (id) => {
      expect(parseConfiguration({ GATEHOUSE_TENANTS: `${id}=a.gw.test` }).ok).toBe(false);
    },
  );
});

describe("keys of caches", () => {
  it("TN-08: two tenants with the same servers use no KV key in common, and each begins with the tenant", async () => {
    const keys: string[] = [];
    const CACHE = new Proxy(env.CACHE, {
      get(cache, property) {
        const member: unknown = Reflect.get(cache, property);
        if (typeof member !== "function") return member;
        return (key: string, ...rest: unknown[]): unknown => {
          keys.push(key);
          return Reflect.apply(member, cache, [key, ...rest]);
        };
      },
    });
    const { harness, tenant: a } = await createWorld({ bindings: { CACHE } });
    harness.serve("up.upstream.test", echoUpstream());
    const b = await setUp(harness, "https://b.gw.test");
    const used: string[][] = [];
    for (const tenant of [a, b]) {
      keys.length = 0;
      await tenant.addServer("up");
      const { token } = await tenant.addClient(["up"]);
      await ask(harness, `${tenant.origin}/mcp`, modernPost("tools/list", {}, { token }));
      await ask(
        harness,
        `${tenant.origin}/mcp/up`,
        modernPost("tools/call", { name: "echo", arguments: {} }, { token }),
      );
      used.push([...new Set(keys)]);
    }
    const [ofA = [], ofB = []] = used;
    expect([ofA.length > 0, ofB.length > 0, ofA.filter((key) => ofB.includes(key))]).toEqual([true, true, []]);
    for (const key of [...ofA, ...ofB]) {
      expect(key).toMatch(
        ofA.includes(key) ? /^(?:era:2:\["|catalog:|status:)a-/ : /^(?:era:2:\["|catalog:|status:)b-/,
      );
    }
  });
});
