/** Documents of others: kept within bounds, and refused when two readers could read them differently. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { Judgement } from "../../../src/trust/index.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";
import { ask, askJudged, host, keptRows, object, reason, renewWorld, traces, url, world } from "./documents-support.ts";
import { json } from "./support.ts";

beforeEach(renewWorld);

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

  it("CR-10: the last good document of a client stands in while its host is down, for a week", async () => {
    world.serve(host, () => json({ good: true }));
    await ask();
    world.close(host);
    world.clock.advance(limits.documentLife_ms + limits.clientDocumentStale_ms_max - 1);
    expect(await ask()).toMatchObject({ ok: true, value: { json: { good: true } } });
    world.clock.advance(1);
    expect(await reason()).toBe("document_network_error");
  });

  it.each<readonly [string, () => Response, Judgement]>([
    ["it is gone", () => new Response("", { status: 404 }), "accepted"],
    ["it is no document any more", () => json("{"), "accepted"],
    ["it is not that of the client any more", () => json({}), "wrong"],
  ])("CR-10: a client's document does not stand in when %s", async (_title, answer, judgement) => {
    world.serve(host, () => json({ good: true }));
    await ask();
    world.clock.advance(limits.documentLife_ms);
    world.serve(host, answer);
    await askJudged(judgement);
    expect(await keptRows()).toBe(0);
    world.close(host);
    expect(await reason()).toBe("document_network_error");
  });

  it.each<readonly [Judgement, number]>([
    ["accepted", 1],
    ["unproven", 0],
    ["wrong", 0],
  ])("CR-12: of what strangers name, a document that is %s is kept %i times", async (judgement, count) => {
    world.serve(host, () => json({ some: "document" }));
    expect(await askJudged(judgement)).toMatchObject({ ok: true, value: { json: { some: "document" } } });
    expect(await keptRows()).toBe(count);
  });

  it("CR-12: keys that signed nothing take the place of those that are kept, since those may be void", async () => {
    world.serve(host, () => json({ version: world.seen.length }));
    await askJudged("accepted", "client_keys");
    world.clock.advance(limits.documentLife_ms);
    expect(await askJudged("unproven", "client_keys")).toMatchObject({ value: { json: { version: 2 } } });
    expect(await askJudged("unproven", "client_keys")).toMatchObject({ value: { json: { version: 2 } } });
    expect(world.seen).toHaveLength(2);
  });

  it("CR-12: keys that clients name crowd out no metadata of the host", async () => {
    world.serve(host, () => json({}));
    await ask();
    for (let count = 0; count <= limits.documentsKept_count; count += 1) {
      world.clock.advance(limits.documentsPerHost_ms / 10);
      await askJudged("accepted", "client_keys", `${url}?${count}`);
    }
    expect(await keptRows()).toBe(limits.documentsKept_count + 1);
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
      instance.clock = new VirtualClock(world.clock.now() + 2 * limits.clientDocumentStale_ms_max);
    });
    expect(await traces()).toBe(3);
    expect(await runDurableObjectAlarm(object())).toBe(true);
    expect(await traces()).toBe(0);
    expect(await runDurableObjectAlarm(object())).toBe(false);
    expect(await reason()).toBe("ok");
    expect(await keptRows()).toBe(1);
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
