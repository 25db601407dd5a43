/** JSON-RPC batches, which servers of 2025-03-26 may answer with, and no others. */
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { Json } from "../../../src/ports.ts";
import { legacyUpstream } from "../gateway/legacy-upstream.ts";
import { createHop, events, request, replyTo, textOf, type Hop } from "./upstream-support.ts";

let hop: Hop;

beforeEach(async () => {
  hop = await createHop();
});

const note = (n: number): Json => ({
  jsonrpc: "2.0",
  method: "notifications/message",
  params: { level: "info", data: n },
});
const ping: Json = { jsonrpc: "2.0", id: "p", method: "ping" };
const answer: Json = { jsonrpc: "2.0", id: 7, result: { content: [] } };
const json = (batch: Json): Response => Response.json(batch);
const sse = (batch: Json): Response => events(`data: ${JSON.stringify(batch)}\n\n`);
const serve = (version: "2025-03-26" | "2025-06-18", make: () => Response): void =>
  hop.serve(legacyUpstream({ version }, make));

describe.each([
  ["a JSON answer", json],
  ["an event", sse],
])("2025-03-26 transports: a batch in %s", (_where, send) => {
  it("2025-03-26 transports: is read as its messages, in order", async () => {
    serve("2025-03-26", () => send([note(1), ping, note(2), answer]));
    const read = await request(hop, hop.context());
    expect(read.messages).toMatchObject([{ params: { data: 1 } }, { params: { data: 2 } }]);
    expect(replyTo(hop, "p")).toHaveLength(1);
    expect(read.answer).toMatchObject({ ok: true, value: { text: JSON.stringify(answer) } });
  });

  it("2025-03-26 transports: answers of others in it are dropped", async () => {
    serve("2025-03-26", () => send([{ jsonrpc: "2.0", id: 8, result: { foreign: true } }, answer]));
    expect(textOf(await request(hop, hop.context()))).not.toContain("foreign");
  });

  it("2025-03-26 transports: a batch over its bound is no answer", async () => {
    serve("2025-03-26", () => send([...Array.from({ length: limits.batchMessages_count }, (_, n) => note(n)), answer]));
    const read = await request(hop, hop.context());
    expect(read.messages).toEqual([]);
    expect(read.answer).toMatchObject({ ok: false, error: { code: "upstream_invalid" } });
  });

  it("2025-03-26 transports: of a later revision is no answer", async () => {
    serve("2025-06-18", () => send([answer]));
    expect((await request(hop, hop.context())).answer).toMatchObject({
      ok: false,
      error: { code: "upstream_invalid" },
    });
  });

  it("MC-13: what two readers could take for two goes on as what was read", async () => {
    const text = '[{"jsonrpc":"2.0","id":7,"result":{"content":[1],"content":[2]}}]';
    serve("2025-03-26", () =>
      send === json
        ? new Response(text, { headers: { "content-type": "application/json" } })
        : events(`data: ${text}\n\n`),
    );
    expect((await request(hop, hop.context())).answer).toMatchObject({
      value: { text: '{"jsonrpc":"2.0","id":7,"result":{"content":[2]}}' },
    });
  });
});

it("2025-03-26 transports: an error without id in a batch is nobody's", async () => {
  serve("2025-03-26", () => json([note(1), { jsonrpc: "2.0", id: null, error: { code: -32600, message: "no" } }]));
  expect(textOf(await request(hop, hop.context()))).toBe("upstream_invalid answer_mismatch");
});
