import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { beginSignIn, openReturn, sealReturn, type Visit } from "../../../src/login/index.ts";
import { limits } from "../../../src/limits.ts";
import { err, ok } from "../../../src/ports.ts";
import { FakeProvider, makeKey } from "./fake-provider.ts";
import { Browser, createWorld, type World } from "./support.ts";

let world: World;
let visit: Visit;

beforeAll(async () => {
  world = await createWorld();
  visit = await world.visit();
});

const foreign = [
  "//evil.test",
  "/\\evil.test",
  "\\\\evil.test",
  "https:evil.test",
  "https://evil.test/",
  "/\t/evil.test",
  "/\n/evil.test",
  "/%09/evil.test/../..//evil.test\\",
  "javascript:alert(1)",
  " //evil.test",
  "/a/../..//evil.test",
  "/./",
  "evil",
  "",
  "/ä",
  "/a b",
];

describe("where a sign-in leads", () => {
  it.each(foreign)("AS-20: %j becomes the start page", async (path) => {
    expect(await openReturn(visit, await sealReturn(visit, path))).toEqual(ok("/"));
  });

  it("AS-20: a path past the bound is not kept, and not silently so", async () => {
    const handle = await sealReturn(visit, `/${"a".repeat(limits.returnPath_chars)}`);
    expect(await openReturn(visit, handle)).toEqual(err("return_too_long"));
  });

  it.each(["/", "/me", "/oauth/authorize?request=k.AbC-_&x=%2F%2Fevil.test", "/admin/users#top"])(
    "AS-20: %s is kept",
    async (path) => {
      expect(await openReturn(visit, await sealReturn(visit, path))).toEqual(ok(path));
    },
  );

  it("AS-20: whatever is sealed stays on our origin", async () => {
    const part = fc.constantFrom(
      "/",
      "\\",
      "..",
      ".",
      ":",
      "@",
      "evil.test",
      "https",
      "%2f",
      "%5c",
      "\t",
      "?",
      "#",
      "a",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 8 }), async (parts) => {
        const opened = await openReturn(visit, await sealReturn(visit, parts.join("")));
        const path = opened.ok ? opened.value : "none";
        expect(new URL(path, visit.tenant.origin).origin).toBe(visit.tenant.origin);
        expect(path).toMatch(/^\/(?![/\\])/);
      }),
      { numRuns: 300, seed: 20 },
    );
  });

  it.each(["", "x", "/me", "k.AAAA", "//evil.test"])("AS-20: %j is no handle", async (handle) => {
    expect(await openReturn(visit, handle)).toEqual(err("return_unknown"));
  });

  it("AS-20: the handle of another tenant is none, nor is an expired one", async () => {
    const other = await createWorld("b.gw.test");
    expect(await openReturn(visit, await sealReturn(await other.visit(), "/me"))).toEqual(err("return_unknown"));
    const handle = await sealReturn(visit, "/me");
    world.advance(limits.authorizationRequest_ms);
    expect(await openReturn(visit, handle)).toEqual(err("return_unknown"));
  });

  it("AS-20: the longest path that is kept comes back from the provider", async () => {
    const own = await createWorld();
    const provider = new FakeProvider("https://idp.test", await makeKey("k1"));
    await own.configure(provider);
    const return_to = `/me?${"a".repeat(limits.returnPath_chars - 4)}`;
    const browser = new Browser(own);
    expect(await browser.signIn(provider, { return_to })).toMatchObject({ kind: "done", return_to });
    expect([...browser.cookies.keys()]).toEqual(["__Host-gatehouse"]);
  });

  it("AS-20: a sign-in that begins with a foreign address ends at the start page", async () => {
    const own = await createWorld();
    const provider = new FakeProvider("https://idp.test", await makeKey("k1"));
    await own.configure(provider);
    const browser = new Browser(own);
    expect(await browser.signIn(provider, { return_to: "//evil.test" })).toMatchObject({
      kind: "done",
      return_to: "/",
    });
    expect((await beginSignIn(await own.visit(), { return_to: "https://evil.test" }, new Headers())).kind).toBe(
      "redirect",
    );
  });
});
