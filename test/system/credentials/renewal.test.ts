/** Tokens that end, and authorization servers that do not answer as they should: nobody is logged out by accident, and nobody twice. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { callModern, type ModernAnswer } from "../support/modern-request.ts";
import { oauthGuard } from "../support/guards.ts";
import { linkIn } from "./chat.ts";
import { startForgeWorld, type ForgePeers } from "./forge-world.ts";
import { connectionsAt, type Person, type World } from "./world.ts";

const hour_s = 3600;
const ended_s = 0.001;
const parallel_count = 50;
const servers_count = 12;

let world: World<ForgePeers>;
let ada: Person;
/** By slug: the same server many times, so that each test begins with no token in anybody's memory. */
const ids = new Map<string, string>();
let slug = "";
beforeAll(async () => {
  world = await startForgeWorld({ guard: { scopes: ["read"] } });
  const server = { name: "Forge", url: world.peers.server.url.href, authentication: { type: "oauth" } };
  for (let count = 1; count <= servers_count; count += 1) {
    ids.set(`forge-${count}`, await world.register({ ...server, slug: `forge-${count}` }));
  }
  ada = await world.holdFor("ada");
});
afterAll(() => world.dispose());
const unused = ids.keys();
beforeEach(() => {
  slug = unused.next().value ?? "";
  const { authorization, server } = world.peers;
  authorization.disarm();
  authorization.life_s = hour_s;
  server.guardBy(oauthGuard(authorization, { scopes: ["read"] }));
  server.clear();
});

async function call(token = ada.token): Promise<ModernAnswer> {
  const params = { name: `${slug}__whoami`, arguments: {} };
  const answer = await callModern(world.site.endpoint("/mcp"), { method: "tools/call", params, token });
  world.site.pages.push(answer.text);
  return answer;
}

const stateOf = async (): Promise<(string | undefined)[]> =>
  (await connectionsAt(world.site, ids.get(slug) ?? "")).map(({ state }) => state);

/** A connection whose access token has ended. */
async function connectEnded(): Promise<void> {
  const { authorization } = world.peers;
  authorization.life_s = ended_s;
  const { text } = await ada.connect(slug);
  expect(text).toContain("Forge");
  authorization.life_s = hour_s;
}

/** The place of the counter now, to count from. */
function refreshesFrom(): () => number {
  const before = world.peers.authorization.refreshes();
  return () => world.peers.authorization.refreshes() - before;
}

it("U13, UP-16: 50 calls at once with an ended token get 50 answers and renew once", async () => {
  await connectEnded();
  const refreshes = refreshesFrom();
  const answers = await Promise.all(Array.from({ length: parallel_count }, () => call()));
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: parallel_count }, () => 200));
  expect(answers.filter(({ text }) => text.includes("octo-ada"))).toHaveLength(parallel_count);
  expect(refreshes()).toBe(1);
  expect(await stateOf()).toEqual(["linked"]);
});

it("U13: each renewal uses the token of the one before", async () => {
  const { authorization } = world.peers;
  authorization.life_s = ended_s;
  await ada.connect(slug);
  const refreshes = refreshesFrom();
  for (let round = 1; round <= 3; round += 1) {
    const before = refreshes();
    expect((await call()).text).toContain("octo-ada");
    expect(refreshes()).toBeGreaterThan(before);
  }
  // A token that was used before would have ended the grant.
  const outcomes = authorization.tokenRequests.slice(-refreshes()).map(({ outcome }) => outcome);
  expect(new Set(outcomes)).toEqual(new Set(["success"]));
  expect(await stateOf()).toEqual(["linked"]);
});

describe("a provider that cannot answer now", () => {
  const waiting: string[] = [];
  let lost = "";

  it.each([
    { title: "answers 429", fault: { kind: "answer", status: 429, headers: { "retry-after": "1" } } },
    { title: "answers 500", fault: { kind: "answer", status: 500 } },
    { title: "cuts the connection before it does anything", fault: { kind: "cut", when: "before" } },
  ] as const)("UP-16: $title: the connection stays, and the provider is left in peace", async ({ fault }) => {
    waiting.push(slug);
    const { authorization } = world.peers;
    await connectEnded();
    const asked_count = authorization.count("/token");
    authorization.arm("/token", fault);
    const refused = await call();
    expect([refused.status, linkIn.test(refused.text)]).toEqual([200, false]);
    expect(refused.message?.result?.["isError"] ?? refused.message?.error !== undefined).toBe(true);
    expect(await stateOf()).toEqual(["linked"]);
    // A call that comes at once does not ask again.
    await call();
    expect(authorization.count("/token") - asked_count).toBe(1);
  });

  it("UP-16: an answer that is lost after the token was used up is no answer either", async () => {
    lost = slug;
    await connectEnded();
    world.peers.authorization.arm("/token", { kind: "cut", when: "after" });
    const { text } = await call();
    expect([text.includes("octo-ada"), linkIn.test(text)]).toEqual([false, false]);
    expect(await stateOf()).toEqual(["linked"]);
  });

  it("UP-16: all but the last work again a little later", async () => {
    for (slug of waiting) {
      await expect.poll(async () => (await call()).text, { timeout: 15_000, interval: 500 }).toContain("octo-ada");
      expect(await stateOf()).toEqual(["linked"]);
    }
  });

  it("UP-16, UP-17: the one whose token is used up asks to be connected again, and then works", async () => {
    slug = lost;
    const asks = async (): Promise<boolean> => linkIn.test((await call()).text);
    await expect.poll(asks, { timeout: 15_000, interval: 500 }).toBe(true);
    expect(await stateOf()).toEqual(["needs_reauth"]);
    // It is over: nobody asks the provider in vain.
    const refreshes = refreshesFrom();
    await call();
    expect(refreshes()).toBe(0);
    await ada.connect(slug);
    expect((await call()).text).toContain("octo-ada");
    expect(await stateOf()).toEqual(["linked"]);
  });
});

it("U14, UP-16: what was withdrawn at the provider is asked for again, once, and works when it is given", async () => {
  const { authorization } = world.peers;
  await ada.connect(slug);
  expect((await call()).text).toContain("octo-ada");
  const refreshes = refreshesFrom();
  await authorization.withdraw("octo-ada");
  const refused = await call();
  expect([refused.status, linkIn.test(refused.text), refreshes()]).toEqual([200, true, 1]);
  expect(await stateOf()).toEqual(["needs_reauth"]);
  const link = linkIn.exec(refused.text)?.[0] ?? "";
  expect((await ada.go(link)).text).toContain("Forge is connected");
  expect((await call()).text).toContain("octo-ada");
});

describe("a server that refuses the token", () => {
  it("UP-18: gets one that was renewed for it, once", async () => {
    const { authorization, server } = world.peers;
    await ada.connect(slug);
    const bearer = (request: Request): string | null => request.headers.get("authorization");
    let refused: string | null = null;
    const usual = oauthGuard(authorization, { scopes: ["read"] });
    server.guardBy(async (asked) => {
      refused ??= bearer(asked.request);
      const isRefused = bearer(asked.request) === refused;
      return isRefused ? new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } }) : usual(asked);
    });
    const refreshes = refreshesFrom();
    expect((await call()).text).toContain("octo-ada");
    expect(refreshes()).toBe(1);
  });

  it("UP-18: for ever: it is renewed once, and no call becomes a 401 of Gatehouse", async () => {
    const { server } = world.peers;
    await ada.connect(slug);
    server.guardBy(async () => new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } }));
    const refreshes = refreshesFrom();
    const answers = [await call(), await call(), await call()];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(refreshes()).toBe(1);
    expect(server.seen.filter(({ rpc }) => rpc === "tools/call").length).toBeLessThanOrEqual(4);
  });
});

it("U11, VT-07, AU-20: no token, code or secret of these tests is in a log, an answer, a page or anything stored", () => {
  expect(world.leaks()).toEqual([]);
  expect(world.peers.authorization.secrets.size).toBeGreaterThan(20);
});
