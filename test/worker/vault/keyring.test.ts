import { describe, expect, it } from "vitest";
import { parseKeyRing } from "../../../src/vault/index.ts";
import { randomKey } from "./support.ts";

const one = randomKey();
const two = randomKey();
const uniform = "A".repeat(43);

describe("VT-08 key ring", () => {
  it("VT-08: the first key is the current one", () => {
    const ring = parseKeyRing(` k2:${two}\n k1:${one} `);
    expect(ring.ok && [ring.value.current.kid, ring.value.all.map(({ kid }) => kid)]).toEqual(["k2", ["k2", "k1"]]);
  });

  it.each([
    ["missing", "", "missing"],
    ["only white space", " \n", "missing"],
    ["without an id", one, "must hold"],
    ["with an empty id", `:${one}`, "must hold"],
    ["with a long id", `${"k".repeat(33)}:${one}`, "must hold"],
    ["with an id of other characters", `k/1:${one}`, "must hold"],
    ["short", `k1:${one.slice(1)}`, "must hold"],
    ["long", `k1:${one}A`, "must hold"],
    ["in standard base64", `k1:${"+".repeat(43)}`, "must hold"],
    ["with spare bits set", `k1:${"B".repeat(43)}`, "must hold"],
    ["with a repeated id", `k1:${one} k1:${two}`, "id twice"],
    ["with a repeated key", `k1:${one} k2:${one}`, "same key twice"],
    ["of 32 zero bytes", `k1:${uniform}`, "not random"],
    ["whose second key is not random", `k1:${one} k2:${uniform}`, "not random"],
  ])("VT-08: a key ring %s is refused by name and without its value", (_what, text, sentence) => {
    const ring = parseKeyRing(text);
    if (ring.ok) throw new Error("accepted");
    expect(ring.error).toMatch(/^GATEHOUSE_KEYS /);
    expect(ring.error).toContain(sentence);
    for (const secret of [one, two, uniform]) expect(ring.error).not.toContain(secret.slice(0, 8));
  });

  it("VT-08: a key that is not random is accepted under a test id", () => {
    expect(parseKeyRing(`test:${uniform}`).ok).toBe(true);
  });

  it("VT-09: a printed key ring shows no key", () => {
    const ring = parseKeyRing(`k1:${one}`);
    expect(JSON.stringify(ring)).toBe('{"ok":true,"value":{"current":{"kid":"k1"},"all":[{"kid":"k1"}]}}');
  });

  it("VT-09: an imported key cannot be exported", async () => {
    const ring = parseKeyRing(`k1:${one}`);
    if (!ring.ok) throw new Error(ring.error);
    await expect(crypto.subtle.exportKey("raw", await ring.value.current.import())).rejects.toThrow();
  });
});
