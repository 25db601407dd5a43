/** What ends a connection, and that it ends at the provider too: it is used no more here, and good for nothing there. */
import { afterAll, beforeAll, expect, it } from "vitest";
import * as z from "zod";
import { change, listed } from "../people/site.ts";
import { workerName } from "../../../scripts/lib/runtime.ts";
import { startGatehouse, type Gatehouse } from "../support/gatehouse.ts";
import { callModern, type ModernAnswer } from "../support/modern-request.ts";
import { linkIn } from "./chat.ts";
import { startForgeWorld, type ForgePeers } from "./forge-world.ts";
import { connectionsAt, type Person, type World } from "./world.ts";

/** The timer of `wrangler.toml`, which does not run by itself on this machine. */
const everyMinute = "* * * * *";
const ends_ms = 10_000;

let world: World<ForgePeers>;
let gatehouse: Gatehouse;
let server_id: string;
let ben: Person;
beforeAll(async () => {
  world = await startForgeWorld({
    async start(options) {
      gatehouse = await startGatehouse(options);
      return gatehouse;
    },
  });
  const { url } = world.peers.server;
  server_id = await world.register({ slug: "forge", name: "Forge", url: url.href, authentication: { type: "oauth" } });
  ben = await world.holdFor("ben");
});
afterAll(() => world.dispose());

async function call(): Promise<ModernAnswer> {
  const params = { name: "forge__whoami", arguments: {} };
  const request = { method: "tools/call", params, token: ben.token };
  const answer = await callModern(world.site.endpoint("/mcp"), request);
  world.site.pages.push(answer.text);
  return answer;
}

/** The access token that the server was last called with. */
const usedToken = (): string => {
  const { seen } = world.peers.server;
  return /^Bearer (.+)$/.exec(seen.at(-1)?.headers.get("authorization") ?? "")?.[1] ?? "";
};

let used = "";
let revocations_count = 0;
async function connect(): Promise<void> {
  await ben.connect("forge");
  expect((await call()).text).toContain("octo-ben");
  used = usedToken();
  revocations_count = world.peers.authorization.count("/token/revocation");
  expect(await isGood()).toBe(true);
}

const isGood = async (): Promise<boolean> =>
  (await world.peers.authorization.verify(used, world.peers.server.url.href)) !== undefined;

const left = async (): Promise<number> => (await connectionsAt(world.site, server_id)).length;

/** Revoked at the provider: the access token that was used is good no more, and it was asked to. */
async function expectRevoked(): Promise<void> {
  await expect.poll(isGood, { timeout: ends_ms }).toBe(false);
  expect(world.peers.authorization.count("/token/revocation")).toBeGreaterThan(revocations_count);
  await expect.poll(left, { timeout: ends_ms }).toBe(0);
}

/** The timer comes. */
async function due(): Promise<void> {
  const worker = await gatehouse.runtime.mf.getWorker(workerName);
  await worker.scheduled({ cron: everyMinute });
}

it("U14, UP-21: who disconnects on their page is asked once more, and the provider is told", async () => {
  await connect();
  const page = await ben.context.newPage();
  await page.goto(`${world.site.origin}/me/connections`);
  world.site.pages.push(await page.content());
  await page.getByRole("link", { name: /^Disconnect/ }).click();
  await page.getByRole("button", { name: "Disconnect" }).click();
  await page.waitForURL(/done=disconnected/);
  world.site.pages.push(await page.content());
  await page.close();
  const before = world.peers.server.seen.length;
  expect((await call()).text).toMatch(linkIn);
  expect(world.peers.server.seen.slice(before).filter(({ subject }) => subject !== undefined)).toEqual([]);
  await expectRevoked();
});

it("U14: an administrator ends it", async () => {
  await connect();
  const [first] = await connectionsAt(world.site, server_id);
  await change(world.site, "DELETE", `/connections/${first?.id}`, undefined, 204);
  expect((await call()).text).toMatch(linkIn);
  await expectRevoked();
});

it("U14, VT-15: a provider that is down for a moment is told later; here it ends at once", async () => {
  await connect();
  const { authorization } = world.peers;
  authorization.arm("/token/revocation", { kind: "answer", status: 503 });
  authorization.arm("/token/revocation", { kind: "answer", status: 503 });
  const [first] = await connectionsAt(world.site, server_id);
  await change(world.site, "DELETE", `/connections/${first?.id}`, undefined, 204);
  expect((await call()).text).toMatch(linkIn);
  const tried = () => authorization.count("/token/revocation") - revocations_count;
  await expect.poll(tried, { timeout: ends_ms }).toBe(2);
  authorization.disarm();
});

it("U14: what is connected again over a good connection stays good, though the provider counts both as one grant", async () => {
  await connect();
  await ben.connect("forge");
  await due();
  expect((await call()).text).toContain("octo-ben");
  expect(await connectionsAt(world.site, server_id)).toMatchObject([{ state: "linked" }]);
});

const userSchema = z.looseObject({ id: z.string() });

it("A14, U14, VT-15: when a person is disabled, every connection of theirs ends and is revoked", async () => {
  await connect();
  const [user] = await listed(world.site, "/users?email=ben@example.test", userSchema);
  await change(world.site, "PATCH", `/users/${user?.id}`, { enabled: false }, 200);
  expect((await call()).status).toBe(401);
  await due();
  await expectRevoked();
  const all = await listed(world.site, "/connections?limit=200", z.looseObject({ user_id: z.string() }));
  expect(all.filter(({ user_id }) => user_id === user?.id)).toEqual([]);
});

it("U11, VT-07, AU-20: no token, code or secret of these tests is in a log, an answer, a page or anything stored", () => {
  expect(world.leaks()).toEqual([]);
  expect(world.peers.authorization.secrets.size).toBeGreaterThan(10);
});
