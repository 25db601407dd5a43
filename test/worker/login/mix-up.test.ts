/** Several providers that answer at one address. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { beginSignIn } from "../../../src/login/index.ts";
import { FakeProvider, makeKey, type Key } from "./fake-provider.ts";
import { Browser, createWorld, expectNothing, type World } from "./support.ts";

let key: Key;
let world: World;
let first: FakeProvider;
let second: FakeProvider;

beforeAll(async () => {
  key = await makeKey("k1");
});

beforeEach(async () => {
  world = await createWorld();
  first = new FakeProvider("https://first.test", key);
  second = new FakeProvider("https://second.test", key);
});

const silent = { authorization_response_iss_parameter_supported: undefined };

async function begun(provider_id: string): Promise<string> {
  const answer = await beginSignIn(await world.visit(), { return_to: "/", provider_id }, new Headers());
  return answer.kind === "failed" ? answer.reason : answer.kind;
}

const roles = { member: { everyone: true } };
const own = { options: { roles, own_callback: true } };

describe("providers whose answers do not name them", () => {
  it("CO-18: nobody is sent to one beside another at the same callback, whatever secrets their clients have", async () => {
    first.discovery = silent;
    second.discovery = silent;
    const sender = await world.configure(first);
    const exposed = await world.configure(second);
    expect(await begun(sender.id)).toBe("issuer_not_told");
    expect(world.unknown).toEqual(["issuer_not_told"]);
    expect(
      world.logged.filter((line) => line.includes(exposed.id) && line.includes("cannot be told apart")),
    ).toHaveLength(1);
    expect(first.authorizations).toEqual([]);
    await expectNothing(world, first);
  });

  it("CO-18: one that does not answer counts for one that does not name itself", async () => {
    second.discovery = silent;
    await world.configure(first);
    first.down = true;
    const sender = await world.configure(second);
    expect(await begun(sender.id)).toBe("issuer_not_told");
  });

  it.each([
    ["alone", async () => world.configure(first, { secret: null })],
    [
      "beside one that is disabled",
      async () => {
        second.discovery = silent;
        await world.configure(second, { enabled: false });
        return world.configure(first);
      },
    ],
    [
      "beside one that names itself",
      async () => {
        await world.configure(second, { secret: null });
        return world.configure(first);
      },
    ],
    [
      "beside one with a callback of its own",
      async () => {
        second.discovery = silent;
        await world.configure(second, own);
        return world.configure(first);
      },
    ],
    [
      "with a callback of its own",
      async () => {
        second.discovery = silent;
        await world.configure(second);
        return world.configure(first, own);
      },
    ],
  ])("CO-18: %s people can sign in", async (_name, configure) => {
    first.discovery = silent;
    expect(await begun((await configure()).id)).toBe("redirect");
  });

  it("CO-18: the whole way through a callback of its own", async () => {
    first.discovery = silent;
    second.discovery = silent;
    const provider = await world.configure(first, own);
    await world.configure(second);
    const browser = new Browser(world);
    const answer = first.authorize(await browser.begin({ provider_id: provider.id }));
    expect(answer.pathname).toBe(`/login/callback/${provider.id}`);
    expect(await browser.complete(answer)).toMatchObject({ kind: "done" });
  });

  it("CO-18: the code of one with a callback of its own goes to no other", async () => {
    first.discovery = silent;
    second.discovery = silent;
    const sender = await world.configure(first);
    const honest = await world.configure(second, own);
    const browser = new Browser(world);
    // What a hostile first one does: it sends the person on to the second, with the state of its own sign-in.
    const asked = await browser.begin({ provider_id: sender.id });
    asked.searchParams.set("client_id", second.client_id);
    asked.searchParams.set("redirect_uri", `${world.origin}/login/callback/${honest.id}`);
    const answer = second.authorize(new URL(`${second.issuer}/authorize${asked.search}`));
    expect(await browser.complete(answer)).toMatchObject({ kind: "failed", reason: "issuer_mismatch" });
    expect([first.tokenRequests, second.tokenRequests]).toEqual([[], []]);
  });

  it("CO-18: the code of one that names itself goes to no other, whatever that one says of itself", async () => {
    first.discovery = silent;
    const sender = await world.configure(first);
    await world.configure(second);
    const browser = new Browser(world);
    const answer = second.authorize(await browser.begin({ provider_id: sender.id }));
    expect(await browser.complete(answer)).toMatchObject({ kind: "failed", reason: "issuer_mismatch" });
    expect(first.tokenRequests).toEqual([]);
  });
});
