import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeSse,
  encodeSseComment,
  encodeSsePriming,
  readSse,
  SseOverflow,
  type SseCursor,
  type SseEvent,
} from "../../../src/protocol/index.ts";
import { bytes } from "./support.ts";

const bounds = { event_bytes: 1000 };

function streamOf(chunks: Iterable<Uint8Array>, onCancel: () => void = () => {}): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.iterator]();
  return new ReadableStream({
    pull(controller) {
      const next = iterator.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
    cancel: onCancel,
  });
}

async function read(
  chunks: Iterable<Uint8Array>,
  event_bytes = bounds.event_bytes,
  cursor?: SseCursor,
): Promise<SseEvent[]> {
  const events: SseEvent[] = [];
  for await (const event of readSse(streamOf(chunks), { event_bytes }, cursor)) events.push(event);
  return events;
}

const readText = (text: string): Promise<SseEvent[]> => read([bytes(text)]);

function split(whole: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [...new Set(cuts.map((cut) => cut % (whole.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...at].map((start, n) => whole.slice(start, at[n] ?? whole.length));
}

interface Reference {
  readonly events: SseEvent[];
  readonly cursor: SseCursor;
}

/** The algorithm of the standard, word for word, on the whole text. @see WHATWG HTML section 9.2.6 */
function reference(text: string): Reference {
  const events: SseEvent[] = [];
  const cursor: SseCursor = { id: undefined, retry_ms: undefined };
  let data = "";
  let event = "";
  let id: string | undefined;
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/);
  for (const line of lines.slice(0, -1)) {
    if (line === "") {
      const known = id === undefined ? {} : { id };
      cursor.id = id ?? cursor.id;
      if (data !== "") events.push({ data: data.slice(0, -1), ...known, ...(event === "" ? {} : { event }) });
      data = "";
      event = "";
      id = undefined;
      continue;
    }
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data += `${value}\n`;
    else if (field === "event") event = value;
    else if (field === "id" && !value.includes("\0")) id = value;
    else if (field === "retry" && /^[0-9]+$/.test(value)) cursor.retry_ms = Number(value);
  }
  return { events, cursor };
}

describe("WHATWG HTML section 9.2.6, reading", () => {
  it.each<[string, string, SseEvent[]]>([
    ["an event", "data: a\n\n", [{ data: "a" }]],
    ["all fields", "id: 1\nevent: e\ndata: a\n\n", [{ id: "1", event: "e", data: "a" }]],
    ["CR only", "data: a\rdata: b\r\r", [{ data: "a\nb" }]],
    ["CRLF", "data: a\r\n\r\n", [{ data: "a" }]],
    ["mixed line ends", "data: a\r\ndata: b\rdata: c\n\r\n", [{ data: "a\nb\nc" }]],
    ["data without colon", "data\n\n", [{ data: "" }]],
    ["data with one of two spaces", "data:  a\n\n", [{ data: " a" }]],
    ["NUL in an id", "id: a\u0000b\ndata: a\n\n", [{ data: "a" }]],
    ["a byte order mark", "\ufeffdata: a\n\n", [{ data: "a" }]],
    ["retry with a huge number", "retry: 999999999999\ndata: a\n\n", [{ data: "a" }]],
    ["an id with empty data", "id: 1\ndata:\n\n", [{ data: "", id: "1" }]],
    ["an id alone", "id: 1\n\ndata: a\n\n", [{ data: "a" }]],
    ["comments and unknown fields", ": hi\nDATA: x\nfoo: y\ndata: a\n\n", [{ data: "a" }]],
    ["an event without data", "event: e\n\ndata: a\n\n", [{ data: "a" }]],
    ["an event that never ends", "data: a\n\ndata: b\n", [{ data: "a" }]],
    ["nothing", "", []],
  ])("RX-03: reads %s", async (_name, text, events) => {
    expect(await readText(text)).toEqual(events);
  });

  it.each<[string, string, string | undefined, number | undefined]>([
    ["of the last event that had one", "id: 1\ndata: a\n\ndata: b\n\n", "1", undefined],
    ["without an event", "id: 1\n\n", "1", undefined],
    ["that is empty", "id: 1\ndata: a\n\nid\ndata: b\n\n", "", undefined],
    ["with a NUL", "id: a\u0000b\ndata: a\n\n", undefined, undefined],
    ["of an event that never ends", "data: a\n\nid: 1\ndata: b\n", undefined, undefined],
    ["and a time, at once", "retry: 500\n", undefined, 500],
    ["and no time that is no number", "retry: 1.5\nretry: -1\nretry:\n\n", undefined, undefined],
  ])("SEP-1699: keeps the id %s", async (_name, text, id, retry_ms) => {
    const cursor: SseCursor = { id: undefined, retry_ms: undefined };
    await read([bytes(text)], bounds.event_bytes, cursor);
    expect(cursor).toEqual({ id, retry_ms });
  });

  const whole =
    '\ufeffid: 1\r\nevent: e\r\ndata: {"a":"\u4e16\u754c \ud83d\ude00"}\r\n\r\n: c\n\ndata\rdata: b\r\rdata:c\n\n';
  it("RX-03: an event may be cut at every byte", async () => {
    const expected = await readText(whole);
    for (let at = 0; at <= bytes(whole).length; at++) expect(await read(split(bytes(whole), [at]))).toEqual(expected);
    expect(await read(Array.from(bytes(whole), (byte) => Uint8Array.of(byte)))).toEqual(expected);
  });

  const soup = fc
    .array(
      fc.constantFrom(
        "data",
        "data:",
        "data: x",
        "event: e",
        "id: 1",
        ":",
        "\r",
        "\n",
        "\r\n",
        "\n\n",
        "\ufeff",
        "\u754c",
        " ",
        "d",
        "retry: 1",
      ),
      { maxLength: 30 },
    )
    .map((parts) => parts.join(""));
  it("RX-03: any text, cut anywhere, reads like the standard says", async () => {
    await fc.assert(
      fc.asyncProperty(soup, fc.array(fc.nat(), { maxLength: 6 }), async (text, cuts) => {
        const cursor: SseCursor = { id: undefined, retry_ms: undefined };
        const events = await read(split(bytes(text), cuts), bounds.event_bytes, cursor);
        expect({ events, cursor }).toEqual(reference(text));
      }),
      { numRuns: 1000 },
    );
  });
});

describe("bounds", () => {
  const chunk = bytes("x".repeat(100));
  function* endless(first: string, then: Uint8Array, sent: { count: number }): Generator<Uint8Array> {
    yield bytes(first);
    for (;;) {
      sent.count++;
      yield then;
    }
  }

  it.each([
    ["a data line", "data: ", chunk],
    ["a comment", ": ", chunk],
    ["an unknown field", "foo: ", chunk],
    ["an id", "id: ", chunk],
    ["data lines of one event", "data: a\n", bytes("data: abcdefghij\n")],
    ["data lines that end in CR", "data: a\r", bytes("data: abcdefghij\r")],
  ])("RX-02: %s without end is cut, and its source cancelled", async (_name, first, then) => {
    const sent = { count: 0 };
    let cancelled = false;
    const events = readSse(
      streamOf(endless(first, then, sent), () => (cancelled = true)),
      bounds,
    );
    await expect(events.next()).rejects.toThrow(SseOverflow);
    expect([cancelled, sent.count < 120]).toEqual([true, true]);
  });
  it("RX-02: an event that came whole is bounded too, after those before it", async () => {
    const events = readSse(streamOf([bytes(`data: a\n\ndata: ${"x".repeat(1001)}\n\ndata: b\n\n`)]), bounds);
    expect((await events.next()).value).toEqual({ data: "a" });
    await expect(events.next()).rejects.toThrow(SseOverflow);
  });
  it("RX-02: the bound counts bytes, not characters", async () => {
    const text = `data: ${"\u754c".repeat(334)}\n\n`;
    await expect(read([bytes(text)])).rejects.toThrow(SseOverflow);
  });
  it("RX-02: an event as long as the bound passes", async () => {
    const data = `${"\u754c".repeat(333)}x`;
    expect(await readText(`data:${data}\n\n`)).toEqual([{ data }]);
  });
  it("RX-02: many small events and comments pass", async () => {
    const text = `:\n\ndata: ${"x".repeat(900)}\n\n`.repeat(50);
    expect(await readText(text)).toHaveLength(50);
  });
});

describe("lifetime", () => {
  it("RX-11: a consumer that stops cancels the source", async () => {
    let cancelled = false;
    for await (const event of readSse(
      streamOf([bytes("data: a\n\n"), bytes("data: b\n\n")], () => (cancelled = true)),
      bounds,
    )) {
      expect(event.data).toBe("a");
      break;
    }
    expect(cancelled).toBe(true);
  });
  it("RX-11: what the source throws comes through", async () => {
    const stream = new ReadableStream<Uint8Array>({
      pull() {
        throw new TypeError("reset");
      },
    });
    await expect(readSse(stream, bounds).next()).rejects.toThrow("reset");
  });
});

describe("WHATWG HTML section 9.2.5, writing", () => {
  it.each([
    ["a second event", '{"a":"b"}\n\nevent: x\ndata: {"evil":1}'],
    ["carriage returns", '{"a":"b"}\r\rdata: {"evil":1}'],
    ["CRLF", '{"a":"b"}\r\n\r\ndata: {"evil":1}'],
    ["fields", "{}\nid: 1\nretry: 1\nevent: x"],
  ])("RX-04: data cannot become %s", async (_name, data) => {
    expect(await read([encodeSse(data)])).toEqual([{ data: data.replace(/[\r\n]+/g, " ") }]);
  });
  it("RX-04: any JSON, however it is laid out, is one event with the same value", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.constantFrom("", "\n", "\r\n ", "\r", "\n\n"), async (value, space) => {
        const text = JSON.stringify(value, null, "\n").replaceAll("\n", space === "" ? "\n" : space);
        const events = await read([encodeSseComment(), encodeSse(text), encodeSseComment()], 1_000_000);
        expect(events.map(({ data, ...rest }) => [JSON.parse(data), rest])).toEqual([[JSON.parse(text), {}]]);
      }),
      { numRuns: 500 },
    );
  });
  it("RX-04: one line goes out as it is", () => {
    expect(new TextDecoder().decode(encodeSse('{"a":"\\n\u2028"}'))).toBe('data: {"a":"\\n\u2028"}\n\n');
  });

  const text = (event: Uint8Array): string => new TextDecoder().decode(event);

  it("WHATWG HTML section 9.2.5: an id goes before the data", () => {
    expect(text(encodeSse("{}", "s.1"))).toBe("id: s.1\ndata: {}\n\n");
  });
  it("SEP-1699: a priming event has an id, perhaps a time to wait, and no message", () => {
    expect([text(encodeSsePriming("s.0")), text(encodeSsePriming("s.0", 500.7))]).toEqual([
      "id: s.0\ndata:\n\n",
      "id: s.0\nretry: 500\ndata:\n\n",
    ]);
  });
  it("SEP-1699: a priming event gives a reader its id and its time", async () => {
    const cursor: SseCursor = { id: undefined, retry_ms: undefined };
    const events = await read([encodeSsePriming("s.0", 500)], bounds.event_bytes, cursor);
    expect([events, cursor]).toEqual([[{ data: "", id: "s.0" }], { id: "s.0", retry_ms: 500 }]);
  });
  it.each([
    ["empty", ""],
    ["with a line break", "a\ndata: {}"],
    ["with a carriage return", "a\rdata: {}"],
    ["with a NUL, which clients drop", "a\0"],
    ["with a space", "a b"],
    ["text that HTTP cannot carry", "\u4e16"],
  ])("RX-04: refuses an id that is %s", (_name, id) => {
    expect(() => encodeSse("{}", id)).toThrow(TypeError);
    expect(() => encodeSsePriming(id)).toThrow(TypeError);
  });
});
