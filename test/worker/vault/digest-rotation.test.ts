/** Digests of argument values in the event log, before and after the deployment has another key. */
import { createMessageBatch } from "cloudflare:test";
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { base64url } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { consumeAudit } from "../../../src/audit/index.ts";
import type { JsonObject } from "../../../src/ports.ts";
import {
  ask,
  createHarness,
  modernUpstream,
  requestEvents,
  setUp,
  type Harness,
  type Tenant,
} from "../gateway/support.ts";
import { randomKey, vaultOf } from "./support.ts";

const one = randomKey();
const two = randomKey();
/** The value of GATEHOUSE_KEYS in each stage of a rotation as `docs/key-custody.md` tells it. */
const rings = { before: `k1:${one}`, during: `k2:${two} k1:${one}`, after: `k2:${two}` };
type Stage = keyof typeof rings;
const stages: readonly Stage[] = ["before", "during", "after"];

const own = crypto.randomUUID().slice(0, 8);
const tenants = { a: `a-${own}`, b: `b-${own}` };
type Name = keyof typeof tenants;

/** Values that few others could be. */
const pins = Array.from({ length: 1_000 }, (_, number) => JSON.stringify(String(number).padStart(3, "0")));
const pin = "471";

const upstream = modernUpstream(({ message }) =>
  message["method"] === "tools/list"
    ? { tools: [{ name: "pay", inputSchema: { type: "object" } }], ttlMs: 0, cacheScope: "private" }
    : { content: [{ type: "text", text: "paid" }] },
);

let deployments: Record<Stage, Harness>;
let clients: Record<Name, string>;
let administration: Tenant;

beforeAll(async () => {
  const deploy = (stage: Stage): Harness => {
    const GATEHOUSE_TENANTS = `${tenants.a}=a.gw.test ${tenants.b}=b.gw.test`;
    const harness = createHarness({ bindings: { GATEHOUSE_KEYS: rings[stage], GATEHOUSE_TENANTS } });
    harness.serve("bank.upstream.test", upstream);
    return harness;
  };
  deployments = { before: deploy("before"), during: deploy("during"), after: deploy("after") };
  const prepare = async (origin: string): Promise<{ tenant: Tenant; token: string }> => {
    const tenant = await setUp(deployments.before, origin);
    await tenant.addServer("bank");
    return { tenant, token: (await tenant.addClient(["bank"])).token };
  };
  const [a, b] = [await prepare("https://a.gw.test"), await prepare("https://b.gw.test")];
  clients = { a: a.token, b: b.token };
  administration = a.tenant;
});

type Arguments = NonNullable<ReturnType<typeof requestEvents>[number]["request"]["arguments"]>;

/** Calls with these arguments. @returns what the log has of them */
async function logged(stage: Stage, of: Name, args: JsonObject): Promise<Arguments> {
  const harness = deployments[stage];
  const url = `https://${of}.gw.test/mcp/bank`;
  const { status } = await ask(harness, url, "tools/call", { name: "pay", arguments: args }, { token: clients[of] });
  expect(status).toBe(200);
  const event = requestEvents(harness).findLast(({ tenant }) => tenant === tenants[of]);
  return event?.request.arguments ?? {};
}

const digestOf = async (stage: Stage, of: Name = "a", value = pin): Promise<string> =>
  (await logged(stage, of, { pin: value }))["pin"]?.hmac ?? "";

const macOf = (digest: string): string => digest.slice(digest.indexOf(":") + 1);
const distinct = (digests: readonly string[]): number => new Set(digests.map(macOf)).size;

/** The values whose digest is this one, for whoever can make digests like that. */
async function guessed(digest: string, guess: (value: string) => Promise<string>): Promise<string[]> {
  const macs = await Promise.all(pins.map(async (value) => macOf(await guess(value))));
  return pins.filter((_value, at) => macs[at] === macOf(digest));
}

describe("a rotation of keys", () => {
  it("AU-17: shows in the digest, which names its key; equal values look equal on each side of it, not across", async () => {
    const digests = [];
    for (const stage of stages) digests.push(await digestOf(stage), await digestOf(stage));
    expect(digests.map((digest) => digest.split(":")[0])).toEqual(["k1", "k1", "k2", "k2", "k2", "k2"]);
    const [before = "", again, ...since] = digests;
    expect(again).toBe(before);
    expect(new Set(since).size).toBe(1);
    expect(distinct([before, ...since])).toBe(2);
  });

  it("AU-17: changes the digest of a name that is a value itself", async () => {
    const names = [];
    for (const stage of stages) names.push(...Object.keys(await logged(stage, "a", { "471 is the pin": 1 })));
    expect(names.map((name) => name.split(":")[0])).toEqual(["k1", "k2", "k2"]);
    expect(distinct(names)).toBe(2);
  });

  it("AU-17: that is taken back makes the digests of the key that is current again", async () => {
    const [before, back] = [await vaultOf(rings.before), await vaultOf(`k1:${one} k2:${two}`)];
    expect(await back.digest(tenants.a, pin)).toBe(await before.digest(tenants.a, pin));
  });

  it("AU-17: to another key under the old id makes other digests", async () => {
    const [before, other] = [await vaultOf(rings.before), await vaultOf(`k1:${two}`)];
    expect(distinct([await before.digest(tenants.a, pin), await other.digest(tenants.a, pin)])).toBe(2);
  });

  it("AU-17: leaves the log as it is, and no value in it", async () => {
    const value = "canary-of-the-rotation";
    const [before, since] = [await digestOf("before", "a", value), await digestOf("during", "a", value)];
    const bodies = [...deployments.before.events, ...deployments.during.events];
    const messages = bodies.map((body) => ({ id: body.id, timestamp: new Date(), attempts: 1, body }));
    await consumeAudit(createMessageBatch("gatehouse-audit", messages), env);
    const request = async (method: string, path: string, body?: string): Promise<string> => {
      const headers = { authorization: `Bearer ${administration.administrator}`, "content-type": "application/json" };
      const init = { method, headers, ...(body === undefined ? {} : { body }) };
      const response = await deployments.during.fetch(`https://a.gw.test/api/v1${path}`, init);
      expect(response.status).toBe(200);
      return response.text();
    };
    const log = () => request("GET", "/events?limit=500");
    const first = await log();
    await request("POST", "/vault/rewrap", "{}");
    const second = await log();
    for (const text of [first, second]) {
      expect([text.includes(before), text.includes(since), text.includes(value)]).toEqual([true, true, false]);
    }
  });
});

describe("whoever guesses all values that there can be", () => {
  it("AU-17: finds the value with the key that the digest names, and with no other of the rotation", async () => {
    const found: Record<string, string[]> = {};
    const [before, since] = [await digestOf("before"), await digestOf("after")];
    for (const stage of stages) {
      const vault = await vaultOf(rings[stage]);
      const guess = (value: string): Promise<string> => vault.digest(tenants.a, value);
      found[stage] = [...(await guessed(before, guess)), "|", ...(await guessed(since, guess))];
    }
    const inJson = JSON.stringify(pin);
    expect(found).toEqual({ before: [inJson, "|"], during: ["|", inJson], after: ["|", inJson] });
  });

  it("AU-17: finds nothing from the other tenant of the same deployment, at any stage", async () => {
    const digests = await Promise.all(stages.map((stage) => digestOf(stage)));
    for (const stage of stages) {
      expect(digests.map(macOf)).not.toContain(macOf(await digestOf(stage, "b")));
      const vault = await vaultOf(rings[stage]);
      for (const digest of digests) expect(await guessed(digest, (v) => vault.digest(tenants.b, v))).toEqual([]);
    }
  });

  it("AU-17: finds nothing from what is not secret: no key, or one made of the names of key, tenant and use", async () => {
    const encoder = new TextEncoder();
    const short = (bytes: ArrayBuffer): string => base64url.encode(new Uint8Array(bytes).subarray(0, 16));
    const hash = async (text: string) => short(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
    const known = ["k1", "k2", tenants.a, "digest", "gatehouse.v1", "\0".repeat(32)].map(async (text) => {
      const algorithm = { name: "HMAC", hash: "SHA-256" };
      const key = await crypto.subtle.importKey("raw", encoder.encode(text), algorithm, false, ["sign"]);
      return async (value: string) => short(await crypto.subtle.sign("HMAC", key, encoder.encode(value)));
    });
    const guesses = [hash, (value: string) => hash(tenants.a + value), ...(await Promise.all(known))];
    for (const stage of ["before", "after"] as const) {
      const digest = await digestOf(stage);
      for (const guess of guesses) expect(await guessed(digest, guess)).toEqual([]);
    }
  });

  it("AU-17: no value has the same digest under two keys or in two tenants", async () => {
    const vaults = [await vaultOf(rings.before), await vaultOf(rings.during)] as const;
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme" }), async (value) => {
        const digests = vaults.flatMap((vault) => Object.values(tenants).map((tenant) => vault.digest(tenant, value)));
        expect(distinct(await Promise.all(digests))).toBe(4);
      }),
      { numRuns: 200, seed: 17 },
    );
  });
});
