/** Clocks that were wrong for a moment. */
import { expect, it } from "vitest";
import { liveCredential, type How } from "../../../src/connections/index.ts";
import { ok } from "../../../src/ports.ts";
import { createWorld, linkOf, overOf, refusedBy, tokensAt } from "../connections/world.ts";

const day_ms = 24 * 3600 * 1000;

it("FT-12, UP-16: a pause that was set while the clock was ahead does not log a person out until then", async () => {
  const world = await createWorld();
  const key = { user_id: await world.addUser(), target: crypto.randomUUID(), account: "default" };
  world.clock.advance(day_ms);
  await world.store.put(key, overOf(world));
  const failing: How = { renew: () => Promise.resolve(refusedBy("passing", "token_http_503")) };
  await liveCredential(await world.base(), key, failing);
  world.clock.advance(-day_ms);
  const row = await world.store.find(key);
  if (row === undefined) throw new Error("no row");
  // The token that it has ends now.
  await world.store.renew(row, overOf(world), row.revision);
  const found = await liveCredential(await world.base(), key, { renew: () => Promise.resolve(ok(tokensAt(world, 2))) });
  expect(found.ok ? "ok" : found.error.reason).toBe("ok");
});

it("FT-12, UP-18: a renewal that was forced while the clock was ahead does not forbid the next one until then", async () => {
  const world = await createWorld();
  const key = { user_id: await world.addUser(), target: crypto.randomUUID(), account: "default" };
  world.clock.advance(day_ms);
  await world.store.put(key, linkOf(world));
  let generation = 1;
  const renew: How["renew"] = () => {
    generation += 1;
    return Promise.resolve(ok(tokensAt(world, generation)));
  };
  const first = await liveCredential(await world.base(), key, { renew });
  if (!first.ok) throw new Error(first.error.reason);
  const second = await liveCredential(await world.base(), key, { renew, rejected: first.value });
  if (!second.ok) throw new Error(second.error.reason);
  world.clock.advance(-day_ms + 120_000);
  const third = await liveCredential(await world.base(), key, { renew, rejected: second.value });
  expect(third.ok ? "ok" : third.error.reason).toBe("ok");
});
