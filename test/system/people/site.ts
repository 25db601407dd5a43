/** An organisation with two people, three servers and a browser, for tests of the whole way from a client to a call. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { forgetAuthority } from "./trusted.ts";
import { startSecureServer, type SecureServer } from "./secure-server.ts";
import { putIdentityProvider, registerServer, trustRedirect } from "../../../scripts/lib/admin-api.ts";
import { launchBrowser, type Browser } from "../../../scripts/lib/browser.ts";
import { startIdentityProvider, type IdentityProvider } from "../../../scripts/lib/identity-provider.ts";
import { freePort } from "../../../scripts/lib/network.ts";
import { serve, type Served } from "../../../scripts/lib/serve.ts";
import * as z from "zod";
import { startFixture, type Fixture } from "../support/fixture-server.ts";
import { startGatehouse, type Gatehouse, type GatehouseOptions } from "../support/gatehouse.ts";

export interface Site {
  readonly gatehouse: Omit<Gatehouse, "runtime">;
  readonly origin: string;
  readonly identity: IdentityProvider;
  /** Id of the identity provider at the gateway. */
  readonly provider_id: string;
  readonly browser: Browser;
  /** Where clients of the tests get their answers. */
  readonly callback: string;
  readonly secure: SecureServer;
  readonly fixture: Fixture;
  /** Ids of the servers by slug. Tickets and wiki are for everybody, builds are for engineering. */
  readonly servers: ReadonlyMap<string, string>;
  /** Everything that must be seen nowhere: tokens, codes, client secrets. */
  readonly secrets: Set<string>;
  /** Every page of the gateway that somebody came across, as HTML. */
  readonly pages: string[];
  /** Directory of everything that the gateway stores. */
  readonly state: string;
  endpoint(path: string): URL;
  dispose(): Promise<void>;
}

export const slugs = { everybody: ["tickets", "wiki"], engineering: ["builds"] } as const;

/** Of the fixture, without side effects: no input, and what it answers. */
export const plainTool = { name: "test_simple_text", says: "simple text" } as const;

const connectedPage = "<!doctype html><title>Connected</title><h1>Connected</h1>";

export interface SiteOptions {
  /** Where the gateway will be, for peers that must know before it starts. */
  readonly port?: number;
  /** Origins that it may call besides those of the site. */
  readonly egress?: readonly string[];
  readonly start?: (options: GatehouseOptions) => Promise<Site["gatehouse"]>;
}

export async function startSite(options: SiteOptions = {}): Promise<Site> {
  forgetAuthority();
  const port = options.port ?? (await freePort());
  const origin = `http://localhost:${port}`;
  const secure = await startSecureServer();
  const fixture = await startFixture({ eras: "both" });
  const listener = await startListener();
  const identity = await startIdentityProvider({
    redirect_uris: [`${origin}/login/callback`],
    post_logout_redirect_uris: [`${origin}/me`],
    backchannel_logout_uri: `${origin}/login/backchannel-logout`,
  });
  const egress = [identity.issuer, fixture.url.origin, secure.origin, ...(options.egress ?? [])].join(" ");
  const state = mkdtempSync(join(tmpdir(), "gatehouse-people-"));
  const start = options.start ?? startGatehouse;
  const gatehouse = await start({ port, persist: state, vars: { GATEHOUSE_EGRESS_ORIGINS: egress } });
  const provider_id = await configureIdentity(gatehouse, identity);
  const servers = new Map<string, string>();
  for (const [access, names] of [
    [{ everyone: true }, slugs.everybody],
    [{ everyone: false, groups: ["engineering"] }, slugs.engineering],
  ] as const) {
    for (const slug of names) {
      const id = await registerServer(gatehouse.api, { slug, name: `The ${slug}`, url: fixture.url.href, access });
      servers.set(slug, id);
    }
  }
  for (const uri of ["http://127.0.0.1", "http://localhost"]) await trustRedirect(gatehouse.api, uri, "This machine");
  const browser = await launchBrowser();
  return {
    ...{ gatehouse, origin, identity, provider_id, browser, secure, fixture, servers },
    callback: new URL("/callback", listener.url).href,
    secrets: new Set([identity.client_secret, gatehouse.adminToken, gatehouse.setupSecret]),
    ...{ pages: [], state },
    endpoint: (path) => new URL(path, origin),
    async dispose() {
      await browser.close();
      await gatehouse.dispose();
      await Promise.all([fixture.close(), listener.close(), secure.close(), identity.close()]);
      rmSync(state, { recursive: true, force: true });
    },
  };
}

const startListener = (): Promise<Served> =>
  serve(() => new Response(connectedPage, { headers: { "content-type": "text/html" } }));

function configureIdentity({ api }: Site["gatehouse"], identity: IdentityProvider): Promise<string> {
  const { issuer, client_id, client_secret } = identity;
  return putIdentityProvider(api, {
    ...{ kind: "generic", name: "Company directory", issuer, client_id, client_secret },
    options: {
      scopes: ["openid", "profile", "email", "groups"],
      roles: { administrator: { groups: ["administrators"] }, member: { everyone: true } },
      id_jag: true,
    },
  });
}

const page = z.object({ items: z.array(z.looseObject({})) });

/** The items of one page of a list of the admin API. */
export async function listed<T extends z.ZodType>(site: Site, path: string, item: T): Promise<z.output<T>[]> {
  const { status, body } = await site.gatehouse.api("GET", path);
  if (status !== 200) throw new Error(`GET ${path}: HTTP ${status} ${JSON.stringify(body)}`);
  return page.parse(body).items.map((one) => item.parse(one));
}

/** @throws where an answer of the admin API has another status */
export async function change(
  site: Site,
  method: "POST" | "PATCH" | "DELETE",
  path: string,
  body: unknown,
  status: number,
): Promise<unknown> {
  const answer = await site.gatehouse.api(method, path, body);
  if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** Enough of a secret to know it by, and its end: tokens of one kind begin alike. A database may have cut the rest to another page. */
const tail_chars = 32;

/** What a file holds: nothing for a folder, and for what a database closed and removed since it was listed (its `-shm` and `-wal`). */
function bytesOf(file: string): Buffer {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return Buffer.alloc(0);
  try {
    return readFileSync(file);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}

/**
 * Where any of the secrets is: in a line of the log, on a page that a person saw, or in a file of the databases, objects and queues.
 * @returns the place and the last characters of each
 * @throws when it does not find what is stored in the clear on purpose, which would prove nothing
 */
export function leaksOf({ gatehouse, secrets, pages, state, identity }: Site): string[] {
  const files = readdirSync(state, { recursive: true, encoding: "utf8" }).map((name) => join(state, name));
  const places = new Map<string, Buffer>([
    ["log", Buffer.from(gatehouse.logs.join("\n"))],
    ["page", Buffer.from(pages.join("\n"))],
    ...files.map((name) => [name.slice(state.length), bytesOf(name)] as const),
  ]);
  const placesOf = (text: string): string[] =>
    [...places].flatMap(([place, bytes]) => (bytes.includes(text) ? [place] : []));
  if (placesOf(identity.issuer).length === 0) throw new Error(`The state is not in ${state}.`);
  const tails = [...secrets].map((secret) => secret.slice(-tail_chars));
  return tails.flatMap((tail) =>
    [tail, Buffer.from(tail).toString("hex")].flatMap((text) =>
      placesOf(text).map((place) => `${place}: …${tail.slice(-8)}`),
    ),
  );
}
