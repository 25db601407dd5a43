/** What breaks in the middle: the runtime, the connection to the client. Each time nothing hangs and nothing runs twice. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { registerServer } from "../../scripts/lib/admin-api.ts";
import { textOf } from "./clients/capabilities.ts";
import { openRawSession, until } from "./clients/raw-session.ts";
import { withPeer } from "./clients/peers.ts";
import { sdkV1, sdkV2, type Door } from "./clients/sdk-clients.ts";
import { startFixture, type Fixture } from "./support/fixture-server.ts";
import { startGatehouse, type Gatehouse } from "./support/gatehouse.ts";
import { legacyServer } from "./support/spy-servers.ts";
import { startSpyUpstream, type Script, type SpyAnswer, type SpyUpstream } from "./support/spy-upstream.ts";

const rpc = (message: object): string => `event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`;
const question = { message: "Sure?", requestedSchema: { type: "object", properties: {} } };

/** Lets the answers of the tools below go. */
let release = Promise.withResolvers<void>();

/** `ask` asks the client, `work` says that it began; both answer when they are let go. */
const spyScript: Script = legacyServer({
  tools: [{ name: "echo" }, { name: "ask" }, { name: "work" }],
  on: {
    "tools/call"({ id, params }): SpyAnswer | Promise<SpyAnswer> {
      const name = params?.["name"];
      if (name === "echo") return { body: { jsonrpc: "2.0", id, result: { content: [] } } };
      const first =
        name === "ask"
          ? rpc({ id: 77, method: "elicitation/create", params: question })
          : rpc({ method: "notifications/message", params: { level: "info", data: "began" } });
      return {
        body: (async function* () {
          yield first;
          await release.promise;
          yield rpc({ id, result: { content: [{ type: "text", text: "done" }] } });
        })(),
      };
    },
  },
});

let fixture: Fixture;
let spy: SpyUpstream;
let persist: string;
let gatehouse: Gatehouse;
let token: string;

const start = (earlier?: Gatehouse): Promise<Gatehouse> =>
  startGatehouse({
    persist,
    vars: {
      GATEHOUSE_EGRESS_ORIGINS: `${fixture.url.origin} ${spy.url.origin}`,
      ...(earlier === undefined ? {} : { GATEHOUSE_KEYS: earlier.keys }),
    },
    ...(earlier === undefined ? {} : { adminToken: earlier.adminToken, port: Number(earlier.url.port) }),
  });
const restart = async (): Promise<void> => {
  await gatehouse.dispose();
  gatehouse = await start(gatehouse);
};
const door = (path: string): Door => ({ url: new URL(path, gatehouse.url), token, scratch: persist });

beforeAll(async () => {
  persist = await mkdtemp(join(tmpdir(), "gatehouse-interruption-"));
  [fixture, spy] = await Promise.all([startFixture({ eras: "legacy" }), startSpyUpstream(spyScript)]);
  gatehouse = await start();
  await registerServer(gatehouse.api, { slug: "fixture", url: fixture.url.href });
  await registerServer(gatehouse.api, { slug: "spy", url: spy.url.href });
  ({ token } = await gatehouse.issueClientToken(["fixture", "spy"]));
});
afterAll(async () => {
  release.resolve();
  await gatehouse.dispose();
  await Promise.all([fixture.close(), spy.close()]);
  await rm(persist, { recursive: true });
});
beforeEach(() => {
  release.resolve();
  release = Promise.withResolvers();
  spy.clear();
});

const ranTools = (): unknown[] => spy.of("tools/call").map((request) => request.json().params?.["name"]);
const call = (id: number, name: string) => ({ jsonrpc: "2.0", id, method: "tools/call", params: { name } });

describe("a restart of Gatehouse", () => {
  it.each([
    { path: "/mcp", tool: "fixture__test_count_calls" },
    { path: "/mcp/fixture", tool: "test_count_calls" },
  ])("F7: the session goes on, and so does its session with the server ($path)", ({ path, tool }) =>
    withPeer(sdkV1, door(path), async (peer) => {
      expect(textOf(await peer.call(tool))).toBe("1");
      const sessions_count = fixture.sessions();
      await restart();
      expect(textOf(await peer.call(tool))).toBe("2");
      expect(fixture.sessions()).toBe(sessions_count);
    }),
  );

  it.each([sdkV1, sdkV2])("F3: the stream of $client comes back, with its subscriptions", (kind) =>
    withPeer(kind, door("/mcp/fixture"), async (peer) => {
      const uri = "test://watched-resource";
      await peer.subscribe(uri);
      await peer.call("test_trigger_resource_update");
      await expect.poll(() => peer.told.length, { timeout: 10_000 }).toBe(1);
      await restart();
      // Gatehouse says so itself when a stream comes back: something may have changed in between.
      const isThere = expect.objectContaining({ method: "notifications/tools/list_changed" });
      await expect.poll(() => peer.told, { timeout: 15_000 }).toContainEqual(isThere);
      const changes = (): Promise<number> =>
        peer.call("test_trigger_resource_update").then(() => peer.told.filter(isUpdate).length);
      await expect.poll(changes, { timeout: 10_000 }).toBeGreaterThan(1);
    }),
  );

  it("F3: a call that waits for the client breaks off; nothing hangs, and nothing runs again", async () => {
    const session = await openRawSession(door("/mcp/spy"), { elicitation: {} });
    const broken = await session.post(call(5, "ask"));
    const asked = await until(broken, ({ method }) => method === "elicitation/create");
    await Promise.all([restart(), expect(until(broken, ({ id }) => id === 5)).rejects.toThrow()]);

    const answer = { jsonrpc: "2.0", id: asked.message?.id, result: { action: "accept", content: {} } };
    expect((await session.post(answer)).status).toBe(202);
    const rest = await session.resume(asked.id ?? "");
    await expect(until(rest, () => true)).rejects.toThrow("ended before");
    expect(ranTools()).toEqual(["ask"]);
    expect((await session.post(call(6, "echo"))).status).toBe(200);
    expect(ranTools()).toEqual(["ask", "echo"]);
  });
});

const isUpdate = ({ method }: { readonly method: string }): boolean => method === "notifications/resources/updated";

describe("a client that is killed in the middle of a call", () => {
  it.each(["before", "after"])("F3: gets the rest by Last-Event-ID; the answer came %s it was back", async (when) => {
    const session = await openRawSession(door("/mcp/spy"));
    const killed = await session.post(call(7, "work"));
    const began = await until(killed, ({ method }) => method === "notifications/message");
    killed.kill();
    if (when === "before") release.resolve();
    const rest = await session.resume(began.id ?? "");
    if (when === "after") release.resolve();
    const { message } = await until(rest, ({ id }) => id === 7);
    expect(message?.result).toMatchObject({ content: [{ text: "done" }] });
    expect(ranTools()).toEqual(["work"]);
  });
});
