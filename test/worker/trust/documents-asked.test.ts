/** How often others are asked for documents: once for all who want one, and within what each may make us ask. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { fetchDocument } from "../../../src/trust/index.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";
import {
  ask,
  askJudged,
  host,
  network,
  object,
  question,
  reason,
  renewWorld,
  rowsOf,
  spendTenantBudget,
  traces,
  trustedObject,
  url,
  world,
} from "./documents-support.ts";
import { createWorld, json } from "./support.ts";

beforeEach(renewWorld);

describe("how often it is fetched", () => {
  it("CR-11: of many at once one fetches, and all get what it brought", async () => {
    let answer: (response: Response) => void = () => undefined;
    const arrived = new Promise<void>((arrive) => {
      world.serve(host, () => {
        arrive();
        return new Promise((resolve) => (answer = resolve));
      });
    });
    const asked = Array.from({ length: 200 }, () => ask());
    await arrived;
    answer(json({ once: true }));
    for (const answered of await Promise.all(asked)) {
      expect(answered).toMatchObject({ ok: true, value: { json: { once: true } } });
    }
    expect(world.seen).toEqual([url]);
  });

  it("CR-11: of many at once one fails, and all are told", async () => {
    world.serve(host, () => new Response("", { status: 500 }));
    const answered = await Promise.all(Array.from({ length: 15 }, () => ask()));
    expect(answered.every(({ ok }) => !ok)).toBe(true);
    expect(world.seen.length).toBeLessThan(15);
  });

  it("CR-11: when the one that fetches dies, the next one takes over", async () => {
    const clock = new VirtualClock(world.clock.now());
    await runInDurableObject(object(), (instance) => {
      instance.clock = clock;
    });
    const now = world.clock.now();
    const claim = { kind: "client_metadata", url, newer_than: null, now } as const;
    expect(await object().claim({ ...claim, lease: "of one that dies" })).toEqual({ kind: "fetch", first: true });
    world.serve(host, () => json({ taken: "over" }));
    const asked = ask();
    await clock.asleep(limits.documentLease_ms);
    expect(world.seen).toEqual([]);
    clock.advance(limits.documentLease_ms);
    expect(await asked).toMatchObject({ ok: true, value: { json: { taken: "over" } } });
    expect(world.seen).toEqual([url]);
  });

  it("CR-11: the one that fetches frees the others when it fails itself", async () => {
    world.serve(host, () => json({ good: true }));
    const { platform } = world.inquirer;
    const DB = new Proxy(env.DB, {
      get() {
        throw new Error("no database");
      },
    });
    const broken = { ...world.inquirer, platform: { ...platform, bindings: { ...env, DB } } };
    await expect(fetchDocument(broken, question())).rejects.toThrow();
    expect(world.seen).toEqual([]);
    expect(await ask()).toMatchObject({ ok: true, value: { json: { good: true } } });
  });

  it("CR-11: nobody waits for ever, whoever dies", async () => {
    const clock = new VirtualClock(world.clock.now());
    await runInDurableObject(object(), (instance) => {
      instance.clock = clock;
    });
    const claim = { kind: "client_metadata", url, newer_than: null, now: world.clock.now() } as const;
    const claims = [object().claim({ ...claim, lease: "of dying 0" })];
    for (let count = 1; count < 4; count += 1) {
      const asleep = clock.anew(limits.documentLease_ms);
      claims.push(object().claim({ ...claim, lease: `of dying ${count}` }));
      await asleep;
    }
    for (let count = 0; count < 2; count += 1) {
      await clock.asleep(limits.documentLease_ms);
      clock.advance(limits.documentLease_ms);
    }
    const kinds = (await Promise.all(claims)).map(({ kind }) => kind);
    expect(kinds.toSorted()).toEqual(["failed", "failed", "fetch", "fetch"]);
  });

  it("CR-12: no more than the budget of a host in a minute, whatever the paths and whoever asks", async () => {
    world.serve(host, () => json({}));
    const outcomes: string[] = [];
    for (let count = 0; count < limits.documentsPerHost_count + 10; count += 1) {
      outcomes.push(await reason("client_metadata", `https://${host}/${count}`, network(count)));
    }
    expect(outcomes.filter((outcome) => outcome === "ok")).toHaveLength(limits.documentsPerHost_count);
    expect(outcomes.at(-1)).toBe("document_host_budget");
    expect(world.seen).toHaveLength(limits.documentsPerHost_count);
    world.clock.advance(limits.documentsPerHost_ms);
    expect(await reason("client_metadata", `https://${host}/again`)).toBe("ok");
  });

  it("CR-12: nor of the documents that administrators named", async () => {
    world.serve(host, () => json({}));
    for (let count = 0; count < limits.documentsPerHost_count; count += 1) {
      await reason("jwks", `https://${host}/${count}`);
    }
    expect(await reason("jwks")).toBe("document_host_budget");
    expect(world.seen).toHaveLength(limits.documentsPerHost_count);
  });

  it("CR-12: the budget of one tenant is not that of another", async () => {
    world.serve(host, () => json({}));
    for (let count = 0; count <= limits.documentsPerHost_count; count += 1) {
      await reason("client_metadata", `https://${host}/${count}`, network(count));
    }
    const other = createWorld();
    other.serve(host, () => json({}));
    expect((await fetchDocument(other.inquirer, question())).ok).toBe(true);
  });

  it("CR-12: what strangers name spends nothing of what administrators named, and crowds nothing of it out", async () => {
    world.serve(host, () => json({ keys: [] }));
    expect(await reason("jwks")).toBe("ok");
    for (let minute = 0; minute < 6; minute += 1) {
      for (let count = 0; count <= limits.documentsPerHost_count; count += 1) {
        await reason(count % 2 === 0 ? "client_metadata" : "client_keys", `${url}?${minute}.${count}`, network(count));
      }
      expect(await reason("discovery", `https://${host}/${minute}`)).toBe("ok");
      world.clock.advance(limits.documentsPerHost_ms);
    }
    const asked = world.seen.length;
    expect(await reason("jwks")).toBe("ok");
    expect(world.seen).toHaveLength(asked);
    expect(await rowsOf(trustedObject())).toBe(7);
  });

  it("CR-12: one network spends no more than its own, and others pay for themselves", async () => {
    const outcomes: string[] = [];
    for (let count = 0; count <= limits.documentsPerNetwork_count; count += 1) {
      outcomes.push(await reason("client_metadata", `https://h${count}.example/c`));
    }
    expect(outcomes.at(-2)).toBe("document_network_error");
    expect(outcomes.at(-1)).toBe("document_network_budget");
    expect(world.seen).toHaveLength(limits.documentsPerNetwork_count);
    world.serve(host, () => json({}));
    expect(await reason("client_metadata", url, network(1))).toBe("ok");
    world.clock.advance(limits.documentsPerNetwork_ms);
    expect(await reason("client_metadata", `${url}?next`)).toBe("ok");
  });

  it("CR-12: of those who wait, whose network has nothing left fails alone", async () => {
    for (let count = 0; count < limits.documentsPerNetwork_count; count += 1) {
      await reason("client_metadata", `https://h${count}.example/c`);
    }
    world.serve(host, () => json({}));
    const asked = Array.from({ length: 10 }, (_, count) =>
      reason("client_metadata", url, count < 5 ? undefined : network(1)),
    );
    const outcomes = await Promise.all(asked);
    expect(outcomes.slice(5)).toEqual(Array.from({ length: 5 }, () => "ok"));
    expect(world.seen.filter((seen) => seen === url)).toHaveLength(1);
  });

  it("CR-12: a client whose document is kept pays nothing, even to have it fetched anew", async () => {
    world.serve(host, (request) => (request.url === url ? json({ version: world.seen.length }) : json("none")));
    await ask();
    world.clock.advance(limits.documentLife_ms);
    for (let count = 0; count <= limits.documentsPerHost_count; count += 1) {
      await reason("client_metadata", `${url}?${count}`);
      await reason("client_metadata", `${url}?${count}`, network(count));
    }
    expect(await reason("client_metadata", `${url}?more`, network(255))).toBe("document_host_budget");
    expect(await reason("client_metadata", `${url}?more`)).toBe("document_network_budget");
    const before = world.seen.length;
    expect(await ask()).toMatchObject({ ok: true, value: { json: { version: before + 1 } } });
  });

  it("CR-12: a tenant calls a bounded number of hosts in a minute for clients that nobody registered", async () => {
    await spendTenantBudget();
    world.serve(host, () => json({ keys: [] }));
    expect(await reason()).toBe("document_tenant_budget");
    expect(await reason("client_keys")).toBe("document_tenant_budget");
    expect(world.seen).toEqual([]);
    expect(await reason("jwks")).toBe("ok");
  });

  it("CR-12: a host that a stranger invented leaves nothing behind, within the budget or past it", async () => {
    expect(await reason()).toBe("document_network_error");
    expect(await traces()).toBe(0);
    world.serve(host, () => json({ some: "document" }));
    await askJudged("wrong");
    expect(await traces()).toBe(0);
    await spendTenantBudget();
    expect(await reason("client_metadata", "https://past.example/c")).toBe("document_tenant_budget");
    expect(await traces("past.example")).toBe(0);
  });

  it("CR-12: an object gives a bounded number of leases at once, and takes back those that ran out", async () => {
    const clock = new VirtualClock(world.clock.now());
    await runInDurableObject(object(), (instance) => {
      instance.clock = clock;
    });
    const claim = (count: number) =>
      object().claim({
        ...{ kind: "client_metadata", url: `${url}?${count}`, lease: `l${count}` },
        ...{ newer_than: null, now: world.clock.now() },
      });
    for (let count = 0; count < limits.documentLeases_count; count += 1) {
      expect((await claim(count)).kind).toBe("fetch");
    }
    expect(await claim(-1)).toMatchObject({ kind: "failed", failure: { reason: "document_host_budget" } });
    clock.advance(limits.documentLease_ms);
    expect((await claim(-1)).kind).toBe("fetch");
  });
});
