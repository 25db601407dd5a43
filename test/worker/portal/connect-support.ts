/** People who connect accounts: the world of the portal's tests, with a vendor and servers that need something of each person. */
import { env } from "cloudflare:workers";
import { mintLink, type NewLink } from "../../../src/connections/index.ts";
import { createSafeFetch } from "../../../src/egress/index.ts";
import { parseConfiguration } from "../../../src/env.ts";
import type { Visit } from "../../../src/login/index.ts";
import { currentSnapshot } from "../../../src/tenant/index.ts";
import { connectionStore, createVault } from "../../../src/vault/index.ts";
import { FakeVendor } from "./fake-vendor.ts";
import { bob, Browser, createWorld, type World as PortalWorld } from "./support.ts";

export interface World extends PortalWorld {
  readonly vendor: FakeVendor;
  /** Tenant id. */
  readonly id: string;
  /** Id of the server `vendor`, with accounts at the vendor. */
  readonly server: string;
  /** The same keys, tenant and ports as the app has. */
  visit(): Promise<Visit>;
  mint(link: Omit<NewLink, "server_id" | "account" | "agent"> & Partial<NewLink>): Promise<string>;
  /** Rows that are in use, without their sealed part. */
  connections(): Promise<Record<string, unknown>[]>;
}

const hex = (length: number): string => crypto.randomUUID().replaceAll("-", "").slice(0, length);

export async function createConnectWorld(): Promise<World> {
  const vendor = new FakeVendor();
  const id = `connect-${hex(8)}`;
  const bindings = { GATEHOUSE_TENANTS: `${id}=a.gw.test` };
  const world = await createWorld("https://a.gw.test", { bindings, network: (request) => vendor.answer(request) });
  const access = { everyone: true };
  const server = await world.tenant.addServer("vendor", {
    ...{ name: "Vendor", url: vendor.resource, access },
    authentication: { type: "oauth", hint: "Use your work account." },
  });
  const configuration = parseConfiguration({ ...env, ...bindings } as Env);
  if (!configuration.ok) throw new Error(configuration.error);
  const vault = await createVault(configuration.value.keys, world.harness.ports);
  if (!vault.ok) throw new Error(vault.error);
  const platform: Visit["platform"] = {
    ...{ configuration: configuration.value, ports: world.harness.ports, bindings: { ...env, ...bindings } as Env },
    waitUntil: () => undefined,
    log: () => undefined,
  };
  const visit = async (): Promise<Visit> => {
    const snapshot = await currentSnapshot(platform, id, 0);
    if (!snapshot.ok) throw new Error("no snapshot");
    return {
      ...{ platform, tenant: { id, origin: world.tenant.origin }, snapshot: snapshot.value, vault: vault.value },
      fetch: createSafeFetch(world.harness.ports, { mode: "enterprise", origins: new Set() }),
      recorder: { record: () => Promise.resolve({ ok: true, value: undefined }) } as unknown as Visit["recorder"],
      source: { network: "unknown" },
      countUnknown: () => undefined,
    };
  };
  return {
    ...world,
    ...{ vendor, id, server, visit },
    async mint(link) {
      const { url } = await mintLink(await visit(), {
        ...{ server_id: server, account: "default", agent: "https://app.client.test/client.json" },
        ...link,
      });
      const { pathname, search } = new URL(url);
      return pathname + search;
    },
    async connections() {
      const columns =
        "id, user_id, target, account, is_default, state, issuer, client_id, scope, asked_scope, step_ups";
      const rows = await env.DB.prepare(
        `select ${columns} from connections where tenant_id = ? and target <> 'idp' and state <> 'ending' order by id`,
      )
        .bind(id)
        .all();
      return rows.results;
    },
  };
}

/** Somebody new, signed in. */
export async function person(world: World, name = "Bob Example"): Promise<{ browser: Browser; id: string }> {
  const browser = new Browser(world);
  const sub = `p-${hex(12)}`;
  await browser.signIn({ ...bob, sub, name, email: `${sub}@a.test` });
  const row = await env.DB.prepare("select id from users where tenant_id = ? and subject = ?")
    .bind(world.id, sub)
    .first<{ id: string }>();
  return { browser, id: row?.id ?? "" };
}

/** Every field that the form of a connect page sends, as a browser would. */
export function connectFields(html: string): [string, string][] {
  const form = html.split("<form ").find((part) => part.includes('action="/connect/')) ?? "";
  const [own = ""] = form.split("</form>");
  return [...own.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(([, name = "", value = ""]) => [
    name,
    value,
  ]);
}

/** Presses the button that connects the account at a server, on the consent page. @returns the path of the connect page */
export async function connectFrom(
  browser: Browser,
  fields: readonly (readonly [string, string])[],
  slug = "vendor",
): Promise<string> {
  const response = await browser.post("/oauth/consent", [...fields, ["connect", slug]]);
  const location = response.headers.get("location") ?? "";
  if (response.status !== 303 || !location.startsWith("/connect/")) {
    throw new Error(`no way to connect: ${response.status} ${location}`);
  }
  return location;
}

/** Opens a connect page and goes on. @returns the answer to its form */
export async function begin(
  browser: Browser,
  path: string,
  more: readonly (readonly [string, string])[] = [],
): Promise<Response> {
  const page = await browser.get(path);
  const html = await page.text();
  const action = /action="(\/connect\/[^"]*)"/.exec(html)?.[1];
  if (action === undefined) throw new Error(`no form: ${page.status} ${html.replaceAll(/<[^>]*>/g, " ")}`);
  return browser.post(action, [...connectFields(html), ...more]);
}

/** The whole way over the vendor. @returns the answer to the way back */
export async function link(world: World, browser: Browser, path = "/connect/vendor", more?: [string, string][]) {
  const begun = await begin(browser, path, more);
  const location = begun.headers.get("location");
  if (location === null) throw new Error(`no way: ${begun.status} ${await begun.text()}`);
  return browser.get(world.vendor.authorize(location));
}

/** What is kept for a person, opened. */
export async function held(world: World, user_id: string, target = world.server, account = "default") {
  const read = await connectionStore(await world.visit()).read({ user_id, target, account });
  if (read === undefined || !read.ok) return undefined;
  return read.value;
}
