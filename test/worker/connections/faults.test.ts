/** UP-17: whoever renews may die at each call, and any call may fail: nobody is logged out for nothing, and nothing goes round for ever. */
import { beforeEach, describe, expect, it } from "vitest";
import { liveCredential, type How } from "../../../src/connections/index.ts";
import { limits } from "../../../src/limits.ts";
import type { ConnectionKey } from "../../../src/vault/index.ts";
import { Faults, manners, type Manner } from "./faults.ts";
import { createWorld, overOf, RotatingProvider, secretsIn, type World } from "./world.ts";

let world: World;

beforeEach(async () => {
  world = await createWorld();
});

async function newKey(): Promise<ConnectionKey> {
  const key = { user_id: await world.addUser(), target: crypto.randomUUID(), account: "default" };
  await world.hold(key);
  await world.store.put(key, overOf(world));
  return key;
}

/** @returns the access token, or why there is none */
async function ask(key: ConnectionKey, how: How, faults?: Faults): Promise<string> {
  const found = await liveCredential(await world.base(faults?.bindings), key, how);
  if (!found.ok) return `${found.error.code} ${found.error.reason}`;
  return found.value.credential.kind === "tokens" ? found.value.credential.access_token : "a key";
}

async function storedToken(key: ConnectionKey): Promise<string | undefined> {
  const read = await world.store.read(key);
  return read?.ok === true && read.value.credential.kind === "tokens" ? read.value.credential.access_token : undefined;
}

async function countCalls(): Promise<number> {
  const faults = new Faults(0, "dies before");
  const provider = new RotatingProvider(world);
  expect(await ask(await newKey(), { renew: faults.renew(provider.renew) }, faults)).toBe("secret-access-2");
  return faults.count;
}

/** What the first one found, if it found anything: it must be stored by then. */
async function first(key: ConnectionKey, provider: RotatingProvider, faults: Faults): Promise<void> {
  const asked = ask(key, { renew: faults.renew(provider.renew) }, faults).catch(() => "thrown");
  const answer = await Promise.race([asked, faults.struck.then(() => (faults.dies ? undefined : asked))]);
  if (answer?.startsWith("secret") === true) expect(answer).toBe(await storedToken(key));
}

async function survive(at: number, manner: Manner): Promise<string> {
  const key = await newKey();
  const provider = new RotatingProvider(world);
  await first(key, provider, new Faults(at, manner));
  world.clock.advance(limits.renewLease_ms);
  const next = await ask(key, provider);
  const asked = provider.asked.length;
  expect(asked).toBeLessThanOrEqual(2);
  world.clock.advance(limits.credentialCache_ms);
  expect(await ask(key, provider)).toBe(next);
  expect(provider.asked).toHaveLength(asked);
  if (next.startsWith("secret")) expect(next).toBe(await storedToken(key));
  else expect([next, (await world.row(key))?.state]).toEqual(["link_needed needs_reauth", "needs_reauth"]);
  return next;
}

describe("one call fails", () => {
  it.each(manners)(
    "UP-17: whoever renews %s any of its calls: the new token is stored, or a person is asked",
    async (manner) => {
      const calls = await countCalls();
      expect(calls).toBeGreaterThanOrEqual(6);
      const outcomes = new Map<string, number>();
      for (let at = 1; at <= calls; at += 1) {
        const outcome = await survive(at, manner);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
      // Only an answer of the provider that was lost, or could not be stored, costs the connection; a failed call of ours does not.
      expect(outcomes.get("link_needed needs_reauth") ?? 0).toBe(
        { "dies before": 1, "dies after": 1, "throws before": 0, "throws after": 1 }[manner],
      );
      expect(secretsIn(world)).toEqual([]);
    },
  );

  it("UP-17: when the holder dies the next one waits for its lease, and then tries once more with the old token", async () => {
    const key = await newKey();
    const provider = new RotatingProvider(world);
    const faults = new Faults(1, "dies before");
    void ask(key, { renew: faults.renew(provider.renew) });
    await faults.struck;
    const asleep = world.clock.asleep(limits.renewWait_ms);
    const next = ask(key, provider);
    await asleep;
    expect(provider.asked).toEqual([]);
    world.clock.advance(limits.renewWait_ms);
    expect(await next).toBe("upstream_credential token_renewal_slow");
    world.clock.advance(limits.renewLease_ms - limits.renewWait_ms);
    expect(await ask(key, provider)).toBe("secret-access-2");
    expect(provider.asked).toEqual(["secret-refresh-1"]);
  });

  it("VT-17: a holder that comes back after its lease does not overwrite what the next one stored", async () => {
    const key = await newKey();
    const provider = new RotatingProvider(world);
    let answer: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (answer = resolve));
    const began = Promise.withResolvers<void>();
    const late = ask(key, {
      renew: async (row, stillHeld) => {
        began.resolve();
        await held;
        return new RotatingProvider(world).renew(row, stillHeld);
      },
    });
    await began.promise;
    world.clock.advance(limits.renewLease_ms);
    expect(await late).toBe("upstream_credential token_renewal_slow");
    await ask(key, provider);
    const stored = await world.row(key);
    answer();
    await world.settled();
    expect(await world.row(key)).toEqual(stored);
  });
});
