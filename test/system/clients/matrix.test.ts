/** Every client on both endpoints before servers of both eras: each capability of MCP, or the honest word that it is not there. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { aggregate, cancels, capabilities, transparent, type Place } from "./capabilities.ts";
import { startSite, type Site } from "./peers.ts";
import { clientKinds } from "./sdk-clients.ts";
import { upstreams } from "./upstreams.ts";

let site: Site;
beforeAll(async () => {
  site = await startSite("enterprise");
});
afterAll(() => site.stop());

const combinations = clientKinds.flatMap((kind) =>
  Object.entries({ aggregate, transparent }).flatMap(([on, endpoint]) =>
    upstreams.map((upstream) => ({ ...{ kind, on, endpoint, upstream }, client: kind.client, server: upstream.slug })),
  ),
);

describe.each(combinations)("$client on the $on endpoint, to the server $server", ({ kind, endpoint, upstream }) => {
  const rows = capabilities.filter(({ where }) => where?.(kind, upstream) ?? true);
  let place: Place;
  beforeAll(async () => {
    const peer = await kind.connect(site.door(endpoint.path(upstream.slug)));
    const name = (own: string): string => endpoint.name(upstream.slug, own);
    const uri = (own: string): string => endpoint.uri(upstream.slug, own);
    place = { peer, upstream, name, uri };
  });
  afterAll(() => place.peer.client.close());

  it.each(rows)("$id: $does", (row) => row.proof(place));
});

describe("what the log says of it", () => {
  // A client of 2026-07-28 cancels by closing its connection, of which workerd hears on this machine only when it writes.
  it(`S1: each client of 2025 that ${cancels} is recorded as having done so`, async () => {
    const { length } = combinations.filter(({ kind }) => kind.era === "legacy");
    const cancelled = async (): Promise<unknown[]> => {
      const query = "type=mcp.response&method=tools/call&outcome=cancelled&limit=100";
      const { body } = await site.gatehouse.api("GET", `/events?${query}`);
      return (body as { items: unknown[] }).items;
    };
    await expect.poll(cancelled, { timeout: 10_000 }).toHaveLength(length);
  });

  it("S1: nothing that a well-behaved client does is a warning or an error", () => {
    expect(site.gatehouse.logs.filter((line) => /"level":"(?:warn|error)"/.test(line))).toEqual([]);
  });
});
