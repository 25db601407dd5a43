import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkModern, encodeRequest, parsePosted } from "../../../src/protocol/index.ts";
import { isObject } from "../../../src/protocol/json.ts";
import type { Json, JsonObject } from "../../../src/ports.ts";
import { bytes, modernHeaders, modernMeta, parseMessage } from "./support.ts";

/** An object as the list of its members, repeated ones included: what a reader chooses from. */
type Tree =
  | { readonly members: readonly (readonly [string, Tree])[] }
  | { readonly items: readonly Tree[] }
  | { readonly leaf: Json };

/** A JSON reader that forgets nothing. The text is valid, so it only takes it apart. */
function readTree(text: string): Tree {
  let at = 0;
  const space = (): void => {
    while (/\s/.test(text.charAt(at))) at++;
  };
  const scalar = (): Json => {
    const found = /^(?:"(?:[^"\\]|\\.)*"|[^,\]}\s:]+)/.exec(text.slice(at));
    if (found === null) throw new Error(`no value at ${at}`);
    at += found[0].length;
    return JSON.parse(found[0]) as Json;
  };
  const value = (): Tree => {
    space();
    const open = text.charAt(at);
    if (open !== "{" && open !== "[") return { leaf: scalar() };
    const close = open === "{" ? "}" : "]";
    const members: [string, Tree][] = [];
    for (at++, space(); text.charAt(at) !== close; space()) {
      if (text.charAt(at) === ",") at++;
      space();
      let key = "";
      if (open === "{") {
        key = String(scalar());
        space();
        at++;
      }
      members.push([key, value()]);
    }
    at++;
    return open === "{" ? { members } : { items: members.map(([, item]) => item) };
  };
  return value();
}

type Reader = (members: readonly (readonly [string, Tree])[], key: string) => Tree | undefined;

const firstWins: Reader = (members, key) => members.find(([name]) => name === key)?.[1];
const lastWins: Reader = (members, key) => members.findLast(([name]) => name === key)?.[1];
/** Like Go's encoding/json: the last member whose name is equal but for case. */
const foldingWins: Reader = (members, key) =>
  members.findLast(([name]) => name.toUpperCase().toLowerCase() === key.toUpperCase().toLowerCase())?.[1];

const members = (tree: Tree | undefined) => (tree !== undefined && "members" in tree ? tree.members : []);

/** Values inside `arguments` are the tool's: there, readers differ in which repeated member they take only. */
function toJson(tree: Tree | undefined, pick: Reader): Json | undefined {
  if (tree === undefined) return undefined;
  if ("leaf" in tree) return tree.leaf;
  if ("items" in tree) return tree.items.map((item) => toJson(item, pick) ?? null);
  const exact = pick === firstWins ? firstWins : lastWins;
  const object: JsonObject = {};
  for (const [key] of tree.members) object[key] = toJson(exact(tree.members, key), pick) ?? null;
  return object;
}

/** What such a reader takes for method, tool and arguments. */
function seen(text: string, pick: Reader): Json[] {
  const envelope = members(readTree(text));
  const params = members(pick(envelope, "params"));
  return [pick(envelope, "method"), pick(params, "name"), pick(params, "arguments")].map(
    (tree) => toJson(tree, pick) ?? null,
  );
}

const spellings = (name: string): string[] => [
  name,
  name.toUpperCase(),
  name.replace("s", "\u017f"),
  name.charAt(0).toUpperCase() + name.slice(1),
];
const text = (value: Json): string => JSON.stringify(value);
const key = (...names: string[]) => fc.constantFrom(...names.flatMap(spellings), "x", "__proto__");
const object = (keys: fc.Arbitrary<string>, values: fc.Arbitrary<string>, least: readonly string[]) =>
  fc
    .array(fc.tuple(keys.map(text), values), { maxLength: 3 })
    .chain((more) =>
      fc
        .shuffledSubarray([...least, ...more.map(([name, value]) => `${name}:${value}`)], { minLength: least.length })
        .map((all) => `{${all.join()}}`),
    );

const tool = fc.constantFrom("read", "delete", "Read").map(text);
const args = object(
  fc.constantFrom("path", "Path", "p\u0061th"),
  fc.constantFrom('"a"', "1", "1.0", "9007199254740993", '{"b":1,"b":2}'),
  [],
);
const meta = `"_meta":${text(modernMeta)}`;
const params = fc
  .tuple(tool, args)
  .chain(([name, value]) =>
    object(key("name", "arguments"), fc.oneof(tool, args), [`"name":${name}`, `"arguments":${value}`, meta]),
  );
const bodies = params.chain((inner) =>
  object(key("method", "params", "id"), fc.oneof(tool, params, fc.constant('"tools/list"')), [
    '"jsonrpc":"2.0"',
    '"id":1',
    '"method":"tools/call"',
    `"params":${inner}`,
  ]),
);

describe("MC-14 what the readers behind the gateway see", () => {
  it("MC-14: first-wins, last-wins and case-folding readers see the gateway's own method, tool and arguments", () => {
    let accepted_count = 0;
    fc.assert(
      fc.property(bodies, (body) => {
        const parsed = parseMessage(bytes(body));
        if (!parsed.ok || parsed.value.kind !== "request" || !isObject(parsed.value.params)) return;
        accepted_count++;
        const { id, method, params: read } = parsed.value;
        const own = [method, read["name"] ?? null, read["arguments"] ?? null];
        const forwarded = encodeRequest(id, method, read);
        for (const pick of [firstWins, lastWins, foldingWins]) expect(seen(forwarded, pick)).toEqual(own);
        // Even the bytes that came in have no second meaning.
        for (const pick of [firstWins, lastWins, foldingWins]) expect(seen(body, pick)).toEqual(own);
      }),
      { numRuns: 4000 },
    );
    expect(accepted_count).toBeGreaterThan(100);
  });

  it("MC-14: the name that is decided on is the name that is forwarded", () => {
    fc.assert(
      fc.property(bodies, (body) => {
        const parsed = parseMessage(bytes(body));
        if (!parsed.ok || parsed.value.kind !== "request") return;
        const name = parsed.value.params?.["name"];
        const request = checkModern(parsed.value, modernHeaders("tools/call", String(name)));
        if (!request.ok) return;
        expect(
          seen(encodeRequest(request.value.id, request.value.methodName, request.value.params), foldingWins)[1],
        ).toBe(request.value.name);
      }),
      { numRuns: 1000 },
    );
  });

  it("MC-14: a message in a batch is read as it is read alone, or the batch is refused", () => {
    fc.assert(
      fc.property(bodies, (body) => {
        const alone = parsePosted(bytes(body));
        const batch = parsePosted(bytes(`[${body}]`));
        if (!batch.ok) expect([alone.ok, batch.error.failure.reason]).toEqual([false, reasonOf(alone)]);
        else expect(batch.value).toEqual({ kind: "batch", items: [alone] });
      }),
      { numRuns: 1000 },
    );
  });
});

const reasonOf = (posted: ReturnType<typeof parsePosted>) => (posted.ok ? undefined : posted.error.failure.reason);
