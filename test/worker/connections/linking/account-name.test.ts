/** Names of accounts, for every text. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { accountNameSchema, isPersonsOwn } from "../../../../src/connections/linking/account-name.ts";
import { limits } from "../../../../src/limits.ts";

const seed = 20_261_121;

const letter = fc.constantFrom(..."aZ09 ._@+-é仕\u0308<>\"'&:;/\\%?#=,\u0000\n\u202e\u200b");
const text = fc.oneof(
  fc.array(letter, { maxLength: 70 }).map((letters) => letters.join("")),
  fc.array(fc.integer({ min: 0, max: 0x10ffff }), { maxLength: 10 }).map((points) => String.fromCodePoint(...points)),
);

describe("names of accounts (U10)", () => {
  it.each(["default", "work", "me@example.com", "Büro 2", "仕事", "a", "a.b-c_d+e@f"])("U10: %s is one", (name) => {
    expect(accountNameSchema.safeParse(name)).toMatchObject({ success: true, data: name });
  });

  it("U10: two spellings of one name are one name", () => {
    expect(accountNameSchema.parse("Bu\u0308ro")).toBe(accountNameSchema.parse("B\u00fcro"));
  });

  it("CO-24, HD-02: whatever is taken is short, printable, and has nothing that means something to a page, a header or a path", () => {
    fc.assert(
      fc.property(text, (text) => {
        const parsed = accountNameSchema.safeParse(text);
        if (!parsed.success) return;
        expect(parsed.data.length).toBeLessThanOrEqual(limits.accountName_chars);
        expect(parsed.data).not.toMatch(/[\p{C}<>"'&:;/\\%?#=,]/u);
        expect(accountNameSchema.parse(parsed.data)).toBe(parsed.data);
        expect(isPersonsOwn({ target: "s", account: parsed.data })).toBe(true);
      }),
      { seed, numRuns: 300 },
    );
  });

  it.each(["service", "header:x-token", "header:"])("U7: %s is Gatehouse's own", (account) => {
    expect(accountNameSchema.safeParse(account).success).toBe(false);
    expect(isPersonsOwn({ target: "s", account })).toBe(false);
  });
});
