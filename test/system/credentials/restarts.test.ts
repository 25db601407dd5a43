/**
 * Gatehouse ends in the middle of its work and is started again on what it had stored, also with other keys: what was under way either went
 * through or is asked for again, nothing goes round in circles, and nobody who is connected has to connect anew.
 */
import { rmSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import * as z from "zod";
import { newKey } from "../../../scripts/lib/keys.ts";
import { change } from "../people/site.ts";
import type { Fault } from "../support/faults.ts";
import type { GatehouseOptions } from "../support/gatehouse.ts";
import { startGatehouseProcess, type GatehouseProcess } from "../support/gatehouse-process.ts";
import { callModern } from "../support/modern-request.ts";
import { linkIn } from "./chat.ts";
import { startForgeWorld, type ForgePeers } from "./forge-world.ts";
import { connectionsAt, type Person, type World } from "./world.ts";

/** A lease that nobody ends runs out, and a call waits for that. */
const lease_ms = 45_000;
const hour_s = 3600;
const ended_s = 0.001;

const points: Readonly<Record<string, Fault>> = {
  "before-anything": { kind: "silence", when: "before" },
  "token-used-up": { kind: "silence", when: "after" },
  "answer-on-its-way": { kind: "none", when: "after" },
};
const slugs = [...Object.keys(points), "connecting"];
const otherKey = newKey("second");

let options: GatehouseOptions;
let current: GatehouseProcess;
let world: World<ForgePeers>;
let ada: Person;
const ids = new Map<string, string>();

beforeAll(async () => {
  world = await startForgeWorld({
    async start(given) {
      options = given;
      current = await startGatehouseProcess(given);
      return { ...current, dispose: () => current.dispose() };
    },
  });
  for (const slug of slugs) {
    const url = world.peers.server.url.href;
    ids.set(slug, await world.register({ slug, name: slug, url, authentication: { type: "oauth" } }));
  }
  ada = await world.holdFor("ada");
  for (const key of [world.site.gatehouse.keys, otherKey]) world.site.secrets.add(key.split(":")[1] ?? "");
});
afterAll(async () => {
  await world.dispose();
  rmSync(world.site.state, { recursive: true, force: true });
});

async function restart(keys: string): Promise<void> {
  const { adminToken, setupSecret } = world.site.gatehouse;
  const vars = { ...options.vars, GATEHOUSE_KEYS: keys, GATEHOUSE_SETUP_SECRET: setupSecret };
  await current.kill();
  world.site.pages.push(...current.logs);
  current = await startGatehouseProcess({ ...options, vars, adminToken });
}

async function call(slug: string): Promise<string> {
  const params = { name: `${slug}__whoami`, arguments: {} };
  const { text } = await callModern(world.site.endpoint("/mcp"), { method: "tools/call", params, token: ada.token });
  world.site.pages.push(text);
  return text;
}

const outcomeOf = (text: string): string =>
  text.includes("octo-ada") ? "works" : linkIn.test(text) ? "asks" : "waits";

const statesOf = async (slug: string): Promise<(string | undefined)[]> =>
  (await connectionsAt(world.site, ids.get(slug) ?? "")).map(({ state }) => state);

it("UP-17, U13: killed at three points of a renewal and one of a link", { timeout: 120_000 }, async () => {
  const { authorization } = world.peers;
  authorization.life_s = ended_s;
  for (const slug of Object.keys(points)) await ada.connect(slug);
  authorization.life_s = hour_s;

  const cut: Promise<unknown>[] = [];
  const lost = (work: Promise<unknown>): void => void cut.push(work.catch(() => undefined));
  const linking = authorization.arm("/token", { kind: "silence", when: "after" });
  lost(ada.connect("connecting"));
  await linking.happened;
  for (const [slug, fault] of Object.entries(points)) {
    const armed = authorization.arm("/token", fault);
    lost(call(slug));
    await armed.happened;
  }
  await current.kill();
  await Promise.all(cut);
  const asked_count = authorization.count("/token");
  await restart(world.site.gatehouse.keys);

  // Each either works or asks, after a while in which a renewal could still be under way.
  const outcomes = new Map<string, string>();
  await Promise.all(
    slugs.map(async (slug) => {
      const settle = async (): Promise<string> => {
        outcomes.set(slug, outcomeOf(await call(slug)));
        return outcomes.get(slug) ?? "";
      };
      await expect.poll(settle, { timeout: lease_ms, interval: 500 }).not.toBe("waits");
    }),
  );
  expect(outcomes.get("before-anything")).toBe("works");
  expect(outcomes.get("token-used-up")).toBe("asks");
  expect(outcomes.get("connecting")).toBe("asks");
  expect(["works", "asks"]).toContain(outcomes.get("answer-on-its-way"));

  // One more try each is all that it took.
  expect(authorization.count("/token") - asked_count).toBeLessThanOrEqual(Object.keys(points).length);
  for (const [slug, outcome] of outcomes) {
    const expected = outcome === "works" ? ["linked"] : slug === "connecting" ? [] : ["needs_reauth"];
    expect([slug, await statesOf(slug)]).toEqual([slug, expected]);
  }
  for (const [slug, outcome] of outcomes) {
    if (outcome === "asks") await ada.connect(slug);
    expect(await call(slug)).toContain("octo-ada");
  }
});

const progress = z.looseObject({ rewrapped_count: z.number() });

it("U11, VT-05: a new key comes in, all at rest is sealed anew while calls work, and the old key goes", async () => {
  const { keys } = world.site.gatehouse;
  await ada.connect("connecting");
  await restart(`${otherKey} ${keys}`);
  expect(await call("connecting")).toContain("octo-ada");
  const step = async () => progress.parse(await change(world.site, "POST", "/vault/rewrap", {}, 200));
  const walked = await step();
  // Another walk comes an hour later, for what isolates of before still seal.
  expect(walked).toMatchObject({ current: "second", state: "running", failed_count: 0, removable: [] });
  // The provider's secret, signing keys, and the connections of the sign-in and of each server.
  expect(walked.rewrapped_count).toBeGreaterThanOrEqual(3 + slugs.length);
  expect((await step()).rewrapped_count).toBe(walked.rewrapped_count);
  await restart(otherKey);
  for (const slug of slugs) expect(await call(slug)).toContain("octo-ada");
  // It is good for more than reading: it is renewed as ever.
  const { authorization, server } = world.peers;
  const before = authorization.refreshes();
  server.guardBy(async () => new Response(null, { status: 401 }));
  await call("connecting");
  expect(authorization.refreshes()).toBe(before + 1);
  // Refused again, the new one shows as such, and calls go on trying it.
  expect(await statesOf("connecting")).toEqual(["needs_reauth"]);
});

it("U11: an administrator seals the vault: nothing is used and nothing is lost", async () => {
  const { seen } = world.peers.server;
  const states = await statesOf("connecting");
  await change(world.site, "PATCH", "/settings", { vault_sealed: true }, 200);
  const before = seen.length;
  expect(await call("connecting")).toContain("sealed");
  const { text } = await ada.connect("connecting");
  expect(text.toLowerCase()).toContain("sealed");
  expect(seen).toHaveLength(before);
  await change(world.site, "PATCH", "/settings", { vault_sealed: false }, 200);
  expect(await statesOf("connecting")).toEqual(states);
  await call("connecting");
  expect(seen.length).toBeGreaterThan(before);
});

it("U11, VT-07, AU-20: no key, token, code or secret of these tests is in a log, an answer, a page or anything stored", () => {
  world.site.pages.push(...current.logs);
  expect(world.leaks()).toEqual([]);
});
