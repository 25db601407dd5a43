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

describe("providers whose answers do not name them", () => {
  it("CO-18: beside another provider, one without a client secret gets nobody sent to it", async () => {
    first.discovery = silent;
    const open = await world.configure(first, { secret: null });
    await world.configure(second);
    expect(await begun(open.id)).toBe("issuer_not_told");
    expect(world.unknown).toEqual(["issuer_not_told"]);
    expect(world.logged.filter((line) => line.includes(open.id) && line.includes("cannot be told apart"))).toHaveLength(
      1,
    );
    expect(first.authorizations).toEqual([]);
    await expectNothing(world, first);
  });

  it("CO-18: nor does one with a secret that could send people on to it", async () => {
    first.discovery = silent;
    second.discovery = silent;
    await world.configure(first, { secret: null });
    const sender = await world.configure(second);
    expect(await begun(sender.id)).toBe("issuer_not_told");
    await expectNothing(world, second);
  });

  it("CO-18: one that does not answer counts for one that does not name itself", async () => {
    second.discovery = silent;
    await world.configure(first, { secret: null });
    first.down = true;
    const sender = await world.configure(second);
    expect(await begun(sender.id)).toBe("issuer_not_told");
  });

  it.each([
    ["alone", async () => world.configure(first, { secret: null })],
    [
      "beside one that is disabled",
      async () => {
        await world.configure(second, { enabled: false });
        return world.configure(first, { secret: null });
      },
    ],
    [
      "where each client has a secret",
      async () => {
        await world.configure(second);
        return world.configure(first);
      },
    ],
    [
      "where the one without a secret names itself",
      async () => {
        await world.configure(second, { secret: null });
        return world.configure(first);
      },
    ],
  ])("CO-18: %s people can sign in", async (_name, configure) => {
    first.discovery = silent;
    expect(await begun((await configure()).id)).toBe("redirect");
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
