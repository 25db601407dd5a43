/** A server of the transport of 2024-11-05, HTTP with SSE, for clients of both eras on both endpoints. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registerServer } from "../../../scripts/lib/admin-api.ts";
import { startGatehouse, type Gatehouse } from "../support/gatehouse.ts";
import { startSseServer, type SseServer } from "../support/sse-server.ts";
import { aggregate, textOf, transparent } from "./capabilities.ts";
import { withPeer } from "./peers.ts";
import { sdkV1, sdkV2, sdkV2Auto, type Door } from "./sdk-clients.ts";

let server: SseServer;
let gatehouse: Gatehouse;
let token: string;
beforeAll(async () => {
  server = await startSseServer();
  gatehouse = await startGatehouse({ vars: { GATEHOUSE_EGRESS_ORIGINS: server.url.origin } });
  await registerServer(gatehouse.api, { slug: "old", url: server.url.href });
  ({ token } = await gatehouse.issueClientToken(["old"]));
});
afterAll(async () => {
  await gatehouse.dispose();
  await server.close();
});

const door = (path: string): Door => ({ url: new URL(path, gatehouse.url), token, scratch: "" });
const places = [sdkV1, sdkV2, sdkV2Auto].flatMap((kind) =>
  [aggregate, transparent].map((endpoint) => ({ kind, endpoint, client: kind.client, path: endpoint.path("old") })),
);

describe.each(places)("$client on $path", ({ kind, endpoint, path }) => {
  const name = endpoint.name("old", "echo");
  const uri = endpoint.uri("old", "note://one");

  it("F4: calls a tool of an HTTP+SSE server", () =>
    withPeer(kind, door(path), async (peer) => {
      expect((await peer.client.listTools()).tools.map((tool) => tool.name)).toEqual([name]);
      expect(textOf(await peer.call(name, { message: "hi" }))).toBe("Echo: hi");
    }));

  it("F4: reads a resource of an HTTP+SSE server", () =>
    withPeer(kind, door(path), async (peer) => {
      expect((await peer.client.listResources()).resources.map((resource) => resource.uri)).toEqual([uri]);
      expect((await peer.client.readResource({ uri })).contents).toMatchObject([{ uri, text: "A note." }]);
    }));
});

it("F4: no stream to the server is left open when its calls are over", () =>
  expect.poll(() => server.streams(), { timeout: 10_000 }).toBe(0));
