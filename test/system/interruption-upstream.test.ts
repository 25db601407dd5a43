/** Upstreams that fall silent, break off or die: one answer each, in time, and no second run. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { registerServer } from "../../scripts/lib/admin-api.ts";
import { withPeer } from "./clients/peers.ts";
import { sdkV1, sdkV2Auto, type Door, type Json } from "./clients/sdk-clients.ts";
import { startGatehouse, type Gatehouse } from "./support/gatehouse.ts";
import { legacyServer, modernServer, type ServerScript } from "./support/spy-servers.ts";
import { startSpyUpstream, type SpyAnswer, type SpyUpstream } from "./support/spy-upstream.ts";

/** The shortest that an administrator may set. */
const timeout_ms = 1_000;

/** Resolved when a `dying` call has begun; the stream then stays open. */
let begun = Promise.withResolvers<void>();

const began = (): string => {
  const params = { level: "info", data: "began" };
  return `data: ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/message", params })}\n\n`;
};

/** What goes wrong, by the name of the tool, and what the client reads. */
const mishaps: Readonly<Record<string, { readonly answer: () => SpyAnswer; readonly says: string }>> = {
  silent: { answer: () => ({ instead: "never" }), says: "was silent" },
  cut: { answer: () => ({ instead: "reset" }), says: "could not be reached" },
  unfinished: {
    answer: () => ({
      body: (async function* () {
        yield began();
      })(),
    }),
    says: "answer is not valid",
  },
  stalling: {
    answer: () => ({
      body: (async function* () {
        yield began();
        await new Promise(() => undefined);
      })(),
    }),
    says: "was silent",
  },
};

const called = (name: string): Json => ({ content: [{ type: "text", text: name }] });

const script: ServerScript = {
  tools: [...Object.keys(mishaps), "dying", "fine"].map((name) => ({ name })),
  on: {
    "tools/call"({ id, params }) {
      const name = String(params?.["name"]);
      if (name === "fine") return { body: { jsonrpc: "2.0", id, result: { resultType: "complete", ...called(name) } } };
      const mishap = mishaps[name];
      if (mishap !== undefined) return mishap.answer();
      return {
        body: (async function* () {
          yield began();
          begun.resolve();
          await new Promise(() => undefined);
        })(),
      };
    },
  },
};

let spies: Readonly<Record<"legacy" | "modern" | "mortal", SpyUpstream>>;
let gatehouse: Gatehouse;
let token: string;
beforeAll(async () => {
  const [legacy, modern, mortal] = await Promise.all([
    startSpyUpstream(legacyServer(script)),
    startSpyUpstream(modernServer(script)),
    startSpyUpstream(legacyServer(script)),
  ]);
  spies = { legacy, modern, mortal };
  const origins = Object.values(spies).map(({ url }) => url.origin);
  gatehouse = await startGatehouse({ vars: { GATEHOUSE_EGRESS_ORIGINS: origins.join(" ") } });
  for (const [slug, { url }] of Object.entries(spies)) {
    await registerServer(gatehouse.api, { slug, url: url.href, timeout_ms });
  }
  ({ token } = await gatehouse.issueClientToken(Object.keys(spies)));
});
afterAll(async () => {
  await gatehouse.dispose();
  await Promise.all(Object.values(spies).map((spy) => spy.close()));
});
beforeEach(() => Object.values(spies).forEach((spy) => spy.clear()));

const door = (path: string): Door => ({ url: new URL(path, gatehouse.url), token, scratch: "" });
/** Runs of a tool at all upstreams. */
const runs = (name: string): number =>
  Object.values(spies).flatMap((spy) => spy.of("tools/call").filter((one) => one.json().params?.["name"] === name))
    .length;

const places = [
  { kind: sdkV1, path: "/mcp", server: "legacy" },
  { kind: sdkV1, path: "/mcp/modern", server: "modern" },
  { kind: sdkV2Auto, path: "/mcp/legacy", server: "legacy" },
  { kind: sdkV2Auto, path: "/mcp", server: "modern" },
].map((place) => ({ ...place, client: place.kind.client, prefix: place.path === "/mcp" ? `${place.server}__` : "" }));

describe.each(places)("$client on $path, to a $server server", ({ kind, path, prefix }) => {
  it.each(Object.entries(mishaps))(
    "F6: an answer that is %s is one error in time, and the tool ran once",
    (name, { says }) =>
      withPeer(kind, door(path), async (peer) => {
        await expect(peer.call(prefix + name)).rejects.toMatchObject({
          code: -32603,
          message: expect.stringContaining(says),
        });
        expect(runs(name)).toBe(1);
        // The session goes on.
        expect(await peer.call(`${prefix}fine`)).toMatchObject(called("fine"));
      }),
  );
});

describe("a server whose port is closed in the middle of a call", () => {
  it("F6: is one error, and the other servers go on", () =>
    withPeer(sdkV1, door("/mcp"), async (peer) => {
      begun = Promise.withResolvers();
      const dying = peer.call("mortal__dying").catch((error: unknown) => error);
      await begun.promise;
      expect(runs("dying")).toBe(1);
      await spies.mortal.close();
      expect(await dying).toMatchObject({ code: -32603 });
      expect(await peer.call("legacy__fine")).toMatchObject(called("fine"));
      await expect(peer.call("mortal__fine")).rejects.toThrow("could not be reached");
    }));
});
