/** Values of custom headers: what stands between braces, in one pass. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fillTemplate, placeholders, placeholdersOf, unknownPlaceholder } from "../../../src/registry/index.ts";

describe("HD-09: placeholders of a custom header", () => {
  it.each(["plain", "", "a}b", "{", "{a}", "{{user.id}}", "x{{user.id}}{{user.email}}{{client.id}}{{server.slug}}y"])(
    "HD-09: %j is taken",
    (template) => {
      expect(unknownPlaceholder(template)).toBeUndefined();
    },
  );

  it.each([
    "{{}}",
    "{{secret}}",
    "{{ user.id }}",
    "{{USER.ID}}",
    "{{user.id}",
    "{{{{user.id}}}}",
    "}}",
    "{{user.id}}{{",
    "{{__proto__}}",
  ])("HD-09: %j is refused", (template) => {
    expect(unknownPlaceholder(template)).toBeDefined();
  });

  it("HD-09: what a value holds is not looked at again", () => {
    const values = { "user.email": "{{client.id}}", "client.id": "secret" };
    expect(fillTemplate("{{user.email}}{{client.id}}", values)).toBe("{{client.id}}secret");
  });

  it("HD-09: a replacement pattern in a value means nothing", () => {
    expect(fillTemplate("<{{user.id}}>", { "user.id": "$&$1$`$'" })).toBe("<$&$1$`$'>");
  });

  it("HD-09: for all values, the text is what stands around them and the values", () => {
    const part = fc.oneof(fc.constantFrom(...placeholders), fc.stringMatching(/^[a-z ;=]{1,5}$/));
    const values = fc.record({
      "user.id": fc.string(),
      "user.email": fc.constantFrom("{{user.id}}", "{{server.slug}}", "}}{{"),
      "client.id": fc.string(),
      "server.slug": fc.string(),
    });
    fc.assert(
      fc.property(fc.array(part), values, (parts, given) => {
        const isPlace = (text: string): text is (typeof placeholders)[number] =>
          placeholders.some((one) => one === text);
        const template = parts.map((text) => (isPlace(text) ? `{{${text}}}` : text)).join("");
        const expected = parts.map((text) => (isPlace(text) ? given[text] : text)).join("");
        expect(unknownPlaceholder(template)).toBeUndefined();
        expect(placeholdersOf(template)).toEqual(new Set(parts.filter(isPlace)));
        expect(fillTemplate(template, given)).toBe(expected);
      }),
    );
  });
});
