/** Every client on both endpoints before servers of both eras: each capability of MCP, or the honest word that it is not there. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { aggregate, capabilities, transparent, type Place } from "./capabilities.ts";
import { startSite, type Site } from "./peers.ts";
import { clientKinds } from "./sdk-clients.ts";
import { upstreams } from "./upstreams.ts";

let site: Site;
beforeAll(async () => {
  site = await startSite("enterprise");
});
afterAll(async () => { console.log(site.gatehouse.logs.join('\n')); await site.stop(); });

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
