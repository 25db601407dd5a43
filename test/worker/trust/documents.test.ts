/** Documents of others: fetched once, kept within bounds, and refused when two readers could read them differently. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { fetchDocument, type DocumentKind } from "../../../src/trust/index.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";
import { createWorld, json, type World } from "./support.ts";

const host = "client.example";
const url = `https://${host}/oauth.json`;

let world: World;

beforeEach(() => {
  world = createWorld();
});

const ask = (kind: DocumentKind = "client_metadata", at = url, newer_than?: number) =>
  fetchDocument(world.sibling(), { url: at, kind, ...(newer_than === undefined ? {} : { newer_than }) });

const reason = async (kind?: DocumentKind, at?: string): Promise<string> => {
  const answered = await ask(kind, at);
  return answered.ok ? "ok" : answered.error.reason;
};

const object = () => env.DOCUMENTS.getByName(`${world.inquirer.tenant.id}:${host}`);
const keptRows = (): Promise<number> =>
  runInDurableObject(
    object(),
    (_instance, state) =>
      state.storage.sql.exec<{ count: number }>("SELECT count(*) AS count FROM documents").one().count,
  );

describe("what is no document", () => {
  const wrong: readonly (readonly [string, () => Response, string])[] = [
    [
      "CR-04: a redirect, even to the same host",
      () => Response.redirect(`https://${host}/other.json`, 302),
      "document_redirect",
    ],
    ["CR-04: a permanent redirect", () => Response.redirect(`https://${host}/other.json`, 308), "document_redirect"],
    [
      "CR-06: HTML that holds JSON",
      () => new Response("{}", { headers: { "content-type": "text/html" } }),
      "document_type",
    ],
    [
      "CR-06: a type that only begins like JSON",
      () => new Response("{}", { headers: { "content-type": "application/jsonp" } }),
      "document_type",
    ],
    ["CR-06: no type", () => new Response(new TextEncoder().encode("{}")), "document_type"],
    ["CR-06: a byte order mark", () => json("\uFEFF{}"), "document_not_json"],
    [
      "CR-06: bytes that are no UTF-8",
      () =>
        new Response(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]), {
          headers: { "content-type": "application/json" },
        }),
      "document_not_utf8",
    ],
    [
      "CR-06: a name that occurs twice",
      () => json('{"a":{"client_id":"x","client_id":"y"}}'),
      "document_duplicate_key",
    ],
    [
      "CR-06: the same name, once escaped",
      () => json('{"client_id":"x","client_i\\u0064":"y"}'),
      "document_duplicate_key",
    ],
    ["CR-06: 10,000 levels", () => json(`{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}}`), "document_too_deep"],
    ["CR-06: an array", () => json("[{}]"), "document_not_an_object"],
    ["CR-06: a prototype key", () => json('{"a":{"__proto__":{"client_id":"x"}}}'), "document_prototype_key"],
    ["CR-06: nothing", () => json(""), "document_not_json"],
    [
      "CR-10: an error answer",
      () => new Response("{}", { status: 404, headers: { "content-type": "application/json" } }),
      "document_status",
    ],
    [
      "CR-05: one byte too many",
      () => json(`{"a":"${"x".repeat(limits.clientDocument_bytes)}"}`),
      "document_response_too_large",
    ],
    [
      "CR-05: one byte too many, without a length",
      () =>
        new Response(streamOf(`{"a":"${"x".repeat(limits.clientDocument_bytes)}"}`), {
          headers: { "content-type": "application/json" },
        }),
      "document_response_too_large",
    ],
  ];

  it.each(wrong)("%s is refused and not kept", async (_title, answer, expected) => {
    world.serve(host, answer);
    expect(await reason()).toBe(expected);
    expect(world.seen).toEqual([url]);
    expect(await keptRows()).toBe(0);
  });

  it("RP-14: a key set of more than 512 KB is refused", async () => {
    world.serve(host, () => json(`{"keys":[],"a":"${"x".repeat(limits.discoveryDocument_bytes)}"}`));
    expect(await reason("jwks")).toBe("document_response_too_large");
  });

  it("CR-05: a host that never answers is cut off after five seconds", async () => {
    world.serve(host, () => new Promise<Response>(() => undefined));
    const asked = reason();
    await world.clock.asleep(limits.documentFetch_ms);
    world.clock.advance(limits.documentFetch_ms);
    expect(await asked).toBe("document_total_timeout");
  });

  it("CR-05: a byte in a second is no way around the five", async () => {
    world.serve(host, () => {
      const drip = new ReadableStream<Uint8Array>({
        async pull(controller) {
          await world.clock.sleep(1000);
          controller.enqueue(new Uint8Array([0x20]));
        },
      });
      return new Response(drip, { headers: { "content-type": "application/json" } });
    });
    const asked = reason();
    await world.clock.asleep(1000);
    world.clock.advance(1000);
    await world.clock.asleep(1000);
    world.clock.advance(limits.documentFetch_ms - 1000);
    expect(await asked).toBe("document_total_timeout");
    expect(await keptRows()).toBe(0);
  });

  it.each([
    "https://127.0.0.1/oauth.json",
    "https://metadata.goog/x",
    "http://client.example/x",
    "https://a.b/x#y",
    "not a url",
  ])("RP-14: %s is never called and gets no object", async (at) => {
    expect(await reason("jwks", at)).toMatch(/^document_url_/);
    expect(world.seen).toEqual([]);
  });

  it("CR-06: structured suffixes and colons in strings are fine", async () => {
    const text = '{"a:b":"c:\\"d:{[","e":[{"f":1},{"f":2}]}';
    world.serve(
      host,
      () => new Response(text, { headers: { "content-type": "Application/Client+JSON; charset=utf-8" } }),
    );
    const answered = await ask();
    expect(answered.ok && answered.value.json).toEqual(JSON.parse(text));
  });
});

describe("how long it is kept", () => {
  const life: readonly (readonly [string, Record<string, string>, number])[] = [
    ["what its header says", { "cache-control": "public, max-age=600" }, 600_000],
    ["less what a cache has used up", { "cache-control": "max-age=600", age: "100" }, 500_000],
    ["a day at most (CR-10)", { "cache-control": "max-age=31536000" }, limits.documentLife_ms_max],
    ["a minute at least", { "cache-control": "no-store" }, limits.documentLife_ms_min],
    ["an hour where nothing is said", {}, limits.documentLife_ms],
  ];

  it.each(life)("CR-10: %s", async (_title, headers, life_ms) => {
    world.serve(host, () => json({ version: world.seen.length }, headers));
    await ask();
    world.clock.advance(life_ms - 1);
    expect(await ask()).toMatchObject({ ok: true, value: { json: { version: 1 } } });
    world.clock.advance(1);
    expect(await ask()).toMatchObject({ ok: true, value: { json: { version: 2 } } });
    expect(world.seen).toHaveLength(2);
  });

  it("CR-10: an error is not kept: the next request asks again", async () => {
    world.serve(host, () => new Response("", { status: 503 }));
    expect(await ask()).toEqual({ ok: false, error: { reason: "document_status", transient: true } });
    world.serve(host, () => json({ good: true }));
    expect(await ask()).toMatchObject({ ok: true, value: { json: { good: true } } });
  });

  it("CR-10: what does not do is asked for again, after the cooldown", async () => {
    world.serve(host, () => json({ version: world.seen.length }));
    const first = await ask();
    const fetched_at = first.ok ? first.value.fetched_at : 0;
    expect(await ask("client_metadata", url, fetched_at)).toMatchObject({ value: { json: { version: 1 } } });
    world.clock.advance(limits.documentCooldown_ms);
    expect(await ask("client_metadata", url, fetched_at)).toMatchObject({ value: { json: { version: 2 } } });
    expect(world.seen).toHaveLength(2);
  });

  it("RP-17: a key set stands in for its successor while its host is down, for a day", async () => {
    world.serve(host, () => json({ keys: [] }));
    await ask("jwks");
    world.close(host);
    world.clock.advance(limits.documentLife_ms);
    expect(await ask("jwks")).toMatchObject({ ok: true, value: { json: { keys: [] } } });
    world.clock.advance(limits.documentStale_ms_max - 1);
    expect(await ask("jwks")).toMatchObject({ ok: true });
    world.clock.advance(1);
    expect(await ask("jwks")).toEqual({ ok: false, error: { reason: "document_network_error", transient: true } });
  });

  it("RP-17: a host that is down is asked once in a cooldown", async () => {
    world.serve(host, () => json({ keys: [] }));
    await ask("jwks");
    world.close(host);
    world.clock.advance(limits.documentLife_ms);
    for (let count = 0; count < 5; count += 1) expect(await ask("jwks")).toMatchObject({ ok: true });
    expect(world.seen).toHaveLength(2);
  });

  it("RP-17: client metadata does not stand in", async () => {
    world.serve(host, () => json({}));
    await ask();
    world.close(host);
    world.clock.advance(limits.documentLife_ms);
    expect(await reason()).toBe("document_network_error");
  });

  it("CR-12: the object keeps a bounded number of documents, the newest", async () => {
    world.serve(host, () => json({}));
    for (let count = 0; count < limits.documentsKept_count + 5; count += 1) {
      world.clock.advance(limits.documentsPerHost_ms / 10);
      await ask("client_metadata", `${url}?${count}`);
    }
    expect(await keptRows()).toBe(limits.documentsKept_count);
    await ask("client_metadata", `${url}?0`);
    expect(world.seen.filter((seen) => seen === `${url}?0`)).toHaveLength(2);
  });

  it("CR-12: the alarm empties an object that nobody asks any more", async () => {
    world.serve(host, () => json({}));
    await ask();
    await runInDurableObject(object(), (instance) => {
      instance.clock = new VirtualClock(world.clock.now() + 2 * limits.documentLife_ms_max);
    });
    expect(await runDurableObjectAlarm(object())).toBe(true);
    expect(await keptRows()).toBe(0);
    expect(await runDurableObjectAlarm(object())).toBe(false);
  });
});

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
    expect(await object().claim({ ...claim, lease: "of one that dies" })).toEqual({ kind: "fetch" });
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
    await expect(fetchDocument(broken, { url, kind: "client_metadata" })).rejects.toThrow();
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

  it("CR-12: no more than the budget of a host in a minute, whatever the paths", async () => {
    world.serve(host, () => json({}));
    const outcomes: string[] = [];
    for (let count = 0; count < limits.documentsPerHost_count + 10; count += 1) {
      outcomes.push(await reason("client_metadata", `https://${host}/${count}`));
    }
    expect(outcomes.filter((outcome) => outcome === "ok")).toHaveLength(limits.documentsPerHost_count);
    expect(outcomes.at(-1)).toBe("document_host_budget");
    expect(world.seen).toHaveLength(limits.documentsPerHost_count);
    world.clock.advance(limits.documentsPerHost_ms);
    expect(await reason("client_metadata", `https://${host}/again`)).toBe("ok");
  });

  it("CR-12: the budget of one tenant is not that of another", async () => {
    world.serve(host, () => json({}));
    for (let count = 0; count <= limits.documentsPerHost_count; count += 1) {
      await ask("client_metadata", `https://${host}/${count}`);
    }
    const other = createWorld();
    other.serve(host, () => json({}));
    expect((await fetchDocument(other.inquirer, { url, kind: "client_metadata" })).ok).toBe(true);
  });

  it("CR-12: a tenant calls a bounded number of hosts in a minute for clients that nobody registered", async () => {
    const { DB } = env;
    const far = world.clock.now() + limits.documentsPerTenant_ms;
    const update = "INSERT INTO attempts VALUES (?, ?, ?, ?)";
    const digest = await crypto.subtle.digest("SHA-256", new Uint8Array());
    const key = `client_documents:${new Uint8Array(digest).toBase64({ alphabet: "base64url", omitPadding: true })}`;
    await DB.prepare(update).bind(world.inquirer.tenant.id, key, limits.documentsPerTenant_count, far).run();
    world.serve(host, () => json({ keys: [] }));
    expect(await reason()).toBe("document_tenant_budget");
    expect(world.seen).toEqual([]);
    expect(await reason("jwks")).toBe("ok");
  });
});

function streamOf(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      controller.close();
    },
  });
}
