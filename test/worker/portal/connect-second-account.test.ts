/** A further account at the same provider, whose browser session would otherwise choose the first one again. */
import { beforeAll, beforeEach, expect, it } from "vitest";
import { begin, createConnectWorld, link, person, type World } from "./connect-support.ts";
import type { Browser } from "./support.ts";

let world: World;
let browser: Browser;
let offers = true;
beforeAll(async () => {
  world = await createConnectWorld();
  const { vendor } = world;
  const answer = vendor.answer.bind(vendor);
  // What some OpenID providers say of themselves besides.
  vendor.answer = (request) => {
    const answered = answer(request);
    if (!offers || answered === undefined || !request.url.includes("/.well-known/")) return answered;
    return answered.then(async (response) => {
      const body = (await response.json()) as Record<string, unknown>;
      const isServer = "authorization_endpoint" in body;
      return Response.json(
        isServer ? { ...body, prompt_values_supported: ["none", "select_account"] } : body,
        response,
      );
    });
  };
}, 30_000);
beforeEach(async () => {
  offers = true;
  ({ browser } = await person(world));
});

const another = "/connect/vendor?another=yes";

async function promptAt(path: string, fields: [string, string][] = []): Promise<string | null> {
  const begun = await begin(browser, path, fields);
  return new URL(begun.headers.get("location") ?? "").searchParams.get("prompt");
}

it("U10: the first account is not asked for in any special way", async () => {
  expect(await promptAt("/connect/vendor")).toBe(null);
  await link(world, browser);
  // Connecting it again is no second one.
  expect(await promptAt("/connect/vendor")).toBe(null);
});

it("U10: for a second account the provider has the person choose", async () => {
  await link(world, browser);
  expect(await promptAt(another, [["account", "work"]])).toBe("select_account");
});

it("U10: so it does for each of several that is connected again", async () => {
  await link(world, browser);
  await link(world, browser, another, [["account", "work"]]);
  expect(await promptAt("/connect/vendor?account=work")).toBe("select_account");
  expect(await promptAt("/connect/vendor")).toBe("select_account");
});

it("U10: a provider that does not say that it knows this is not sent it", async () => {
  offers = false;
  world = await createConnectWorld();
  ({ browser } = await person(world));
  await link(world, browser);
  expect(await promptAt(another, [["account", "work"]])).toBe(null);
});
