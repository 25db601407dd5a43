/** How many rows one person can cause: exactly as many as the limit says, however many requests come at once. */
import { env } from "cloudflare:workers";
import { and, eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { grants } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { createGrantWorld, type GrantWorld } from "../oauth/grant-world.ts";

/** Living grants of this person until there are so many. */
async function fill({ database, tenant, consent }: GrantWorld, count: number): Promise<void> {
  await consent();
  const [known] = await database.select().from(grants).where(eq(grants.tenant_id, tenant));
  if (known === undefined) throw new Error("no grant");
  const rows = Array.from({ length: count - 1 }, () => ({ ...known, id: crypto.randomUUID() }));
  // D1 binds 100 parameters, so a few at a time.
  for (let from = 0; from < rows.length; from += 5) await database.insert(grants).values(rows.slice(from, from + 5));
}

const held = ({ database, tenant, user }: GrantWorld): Promise<number> =>
  database.$count(grants, and(eq(grants.tenant_id, tenant), eq(grants.user_id, user.id)));

const outcomes = async (consents: readonly Promise<string>[]): Promise<string[]> =>
  (await Promise.allSettled(consents)).map((one) =>
    one.status === "fulfilled" ? "given" : String(one.reason).replace("Error: ", ""),
  );

describe("grants of one person", () => {
  it("RX-16: of several consents at once for the last place one is given, and the others leave no row", async () => {
    const world = await createGrantWorld();
    await fill(world, limits.grantsPerUser_count - 1);
    const given = await outcomes([world.consent(), world.consent(), world.consent()]);
    expect(given.toSorted()).toEqual(["given", "none:too_many_grants", "none:too_many_grants"]);
    expect(await held(world)).toBe(limits.grantsPerUser_count);
    expect(await outcomes([world.consent()])).toEqual(["none:too_many_grants"]);
    expect(await held(world)).toBe(limits.grantsPerUser_count);
  });

  it("RX-16: a place is free again once one is revoked", async () => {
    const world = await createGrantWorld();
    await fill(world, limits.grantsPerUser_count);
    await env.DB.prepare(
      "UPDATE grants SET revoked_at = ?1 WHERE id = (SELECT id FROM grants WHERE tenant_id = ?2 LIMIT 1)",
    )
      .bind(world.clock.now(), world.tenant)
      .run();
    expect(await outcomes([world.consent(), world.consent()])).toEqual(
      expect.arrayContaining(["given", "none:too_many_grants"]),
    );
  });
});
