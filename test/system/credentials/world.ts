/** The organisation of `../people/site.ts` with servers that want credentials, and the authorization servers of those. */
import type { BrowserContext } from "../../../scripts/lib/browser.ts";
import { registerServer } from "../../../scripts/lib/admin-api.ts";
import { freePort } from "../../../scripts/lib/network.ts";
import * as z from "zod";
import { hold, registerApplication } from "../people/grant.ts";
import { change, leaksOf, listed, startSite, type Site, type SiteOptions } from "../people/site.ts";
import type { AuthorizationServer } from "../support/authorization-server.ts";
import { startEverything } from "../support/everything.ts";
import { go, type Journey, type Steps } from "./journey.ts";

type Closes = { close(): Promise<void> };
type Peer = (Pick<AuthorizationServer, "issuer" | "secrets"> | { readonly url: URL }) & Closes;

export interface World<P> {
  readonly site: Site;
  readonly peers: P;
  /** Registers a server that everybody may reach. @returns its id */
  register(server: Readonly<Record<string, unknown>>): Promise<string>;
  /** A browser of this person, and an application that they allow everything. */
  holdFor(person: "ada" | "ben"): Promise<Person>;
  /** Places where a secret of anybody is in the clear. */
  leaks(): string[];
  dispose(): Promise<void>;
}

export interface Person {
  readonly name: "ada" | "ben";
  /** Of their application, at `/mcp`, for every server that they may reach. */
  readonly token: string;
  /** At another endpoint. */
  tokenFor(path: string): Promise<string>;
  readonly context: BrowserContext;
  /** Takes them to an address, as themselves. */
  go(url: URL | string, steps?: Partial<Steps>): Promise<Journey>;
  /** Connects their account of this server at the forge, from the portal. */
  connect(slug: string, steps?: Partial<Steps>): Promise<Journey>;
}

const originOf = (peer: Peer): string => ("issuer" in peer ? peer.issuer : peer.url.origin);

/** @param build starts the peers, which know where Gatehouse will be */
export async function startWorld<P extends Readonly<Record<string, Peer>>>(
  build: (origin: string) => Promise<P>,
  options: Pick<SiteOptions, "start"> = {},
): Promise<World<P>> {
  const port = await freePort();
  const peers = await build(`http://localhost:${port}`);
  const all = Object.values<Peer>(peers);
  const site = await startSite({ ...options, port, egress: all.map(originOf) });
  const contexts: BrowserContext[] = [];

  async function holdFor(name: "ada" | "ben"): Promise<Person> {
    const context = await site.browser.newContext();
    contexts.push(context);
    const client_id = await registerApplication(site, `Application of ${name}`, site.callback);
    const held = await hold(site, context, client_id, { person: name });
    const travel: Person["go"] = (url, steps) =>
      go(site, context, url, { person: name, account: `octo-${name}`, ...steps });
    return {
      ...{ name, token: held.access_token, context, go: travel },
      tokenFor: async (path) =>
        (await hold(site, context, client_id, { person: name }, site.callback, path)).access_token,
      connect: (slug, steps) => travel(`${site.origin}/connect/${slug}`, steps),
    };
  }

  return {
    ...{ site, peers, holdFor },
    register: (server) => registerServer(site.gatehouse.api, { access: { everyone: true }, ...server }),
    leaks() {
      for (const peer of all) if ("secrets" in peer) for (const secret of peer.secrets) site.secrets.add(secret);
      return leaksOf(site);
    },
    async dispose() {
      for (const context of contexts) await context.close();
      await site.dispose();
      await Promise.all(all.map((peer) => peer.close()));
    },
  };
}

/** The official server, as one of the peers. */
export async function everythingPeer(): Promise<{ readonly url: URL; close(): Promise<void> }> {
  const { url, stop } = await startEverything();
  return { url, close: stop };
}

const connection = z.looseObject({
  id: z.string(),
  user_id: z.string(),
  target: z.string(),
  account: z.string(),
  state: z.string(),
});
export type ListedConnection = z.output<typeof connection>;

/** The connections at a server, as administrators see them. */
export async function connectionsAt(site: Site, server_id: string): Promise<ListedConnection[]> {
  return (await listed(site, "/connections?limit=200", connection)).filter(({ target }) => target === server_id);
}

/** Where a client registered by hand for a server gets its answers. */
export const callbackOf = (origin: string, slug: string): string => `${origin}/connect/${slug}/callback`;

/** What a change has to be sent with once more: the first time it is refused, and says what it means. */
export async function confirmationOf(
  site: Site,
  method: "POST" | "PATCH",
  path: string,
  body: object,
): Promise<{ readonly confirmation: string }> {
  return z.object({ confirmation: z.string() }).parse(await change(site, method, path, body, 409));
}
