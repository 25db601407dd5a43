/** Gatehouse with a real identity provider and two servers, and Chromium in front of it. */
import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { registerServer, putIdentityProvider, trustRedirect } from "../../../scripts/lib/admin-api.ts";
import { launchBrowser, type Browser, type BrowserContext, type Page } from "../../../scripts/lib/browser.ts";
import { startIdentityProvider, type IdentityProvider } from "../../../scripts/lib/identity-provider.ts";
import { freePort } from "../../../scripts/lib/network.ts";
import { startGatehouse, type Gatehouse } from "../support/gatehouse.ts";

export interface World {
  readonly gatehouse: Gatehouse;
  readonly identity: IdentityProvider;
  readonly origin: string;
  readonly browser: Browser;
  /** The callback of a client on this machine. */
  readonly loopback: Listener;
  /** Registers the client as it does by itself. @returns its id */
  register(name: string, redirect_uri: string): Promise<string>;
  authorizeUrl(client_id: string, redirect_uri: string, more?: Readonly<Record<string, string>>): string;
  dispose(): Promise<void>;
}

/** Hosts of clients on the web; Chromium finds both on this machine, over TLS. */
export const webClient = "https://app.client.test";
export const otherSite = "https://elsewhere.client.test";
export const appRedirect = "cursor://anysphere.cursor-mcp/oauth/callback";

export interface Listener {
  readonly origin: string;
  /** URLs that were asked for, in order. */
  readonly asked: URL[];
  /** Headers of the same requests. */
  readonly headers: IncomingMessage["headers"][];
  /** What the next requests for a path get instead of a plain page. */
  serve(path: string, html: string): void;
  close(): Promise<void>;
}

async function startListener(): Promise<Listener> {
  const asked: URL[] = [];
  const headers: IncomingMessage["headers"][] = [];
  const pages = new Map<string, string>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", `http://${request.headers.host}`);
    if (url.pathname !== "/favicon.ico") {
      asked.push(url);
      headers.push(request.headers);
    }
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(pages.get(url.pathname) ?? "<!doctype html><title>Connected</title><h1>Connected</h1>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    ...{ origin: `http://127.0.0.1:${port}`, asked, headers },
    serve: (path, html) => void pages.set(path, html),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A client on the web: `/callback` ends there, `/onward` sends the browser on to another site. */
async function startWebClient(): Promise<{ port: number; close(): Promise<void> }> {
  const script = `export default { fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/onward") return Response.redirect("${otherSite}/landed", 302);
    return new Response("<!doctype html><title>Connected</title>", { headers: { "content-type": "text/html" } });
  } }`;
  const mf = new Miniflare(
    convertV4MiniflareOptions({
      ...{ host: "127.0.0.1", port: 0, https: true, cf: false, logRequests: false, telemetry: { enabled: false } },
      workers: [{ name: "client", modules: [{ type: "ESModule", path: "client.js", contents: script }] }],
    }),
  );
  const { port } = await mf.ready;
  return { port: Number(port), close: () => mf.dispose() };
}

export async function startWorld(): Promise<World> {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const identity = await startIdentityProvider({ redirect_uris: [`${origin}/login/callback`] });
  const gatehouse = await startGatehouse({ port, vars: { GATEHOUSE_EGRESS_ORIGINS: identity.issuer } });
  const loopback = await startListener();
  const web = await startWebClient();
  const browser = await launchBrowser([`--host-resolver-rules=MAP *.client.test:443 127.0.0.1:${web.port}`]);
  await configure(gatehouse, identity);
  return {
    ...{ gatehouse, identity, origin, browser, loopback },
    async register(name, redirect_uri) {
      const response = await fetch(`${origin}/oauth/register`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ client_name: name, redirect_uris: [redirect_uri], token_endpoint_auth_method: "none" }),
      });
      if (response.status !== 201) throw new Error(`registration: ${response.status} ${await response.text()}`);
      const { client_id } = (await response.json()) as { client_id: string };
      return client_id;
    },
    authorizeUrl: (client_id, redirect_uri, more = {}) => {
      const verifier = randomBytes(32).toString("base64url");
      const query = new URLSearchParams({
        ...{ response_type: "code", client_id, redirect_uri, state: "the-state", resource: `${origin}/mcp` },
        code_challenge: createHash("sha256").update(verifier).digest("base64url"),
        code_challenge_method: "S256",
        ...more,
      });
      return `${origin}/oauth/authorize?${query}`;
    },
    async dispose() {
      await browser.close();
      await Promise.all([loopback.close(), web.close(), gatehouse.dispose(), identity.close()]);
    },
  };
}

async function configure({ api }: Gatehouse, identity: IdentityProvider): Promise<void> {
  await putIdentityProvider(api, {
    ...{ kind: "generic", name: "Company directory", issuer: identity.issuer },
    ...{ client_id: identity.client_id, client_secret: identity.client_secret },
    options: {
      scopes: ["openid", "profile", "email", "groups"],
      roles: { administrator: { groups: ["administrators"] }, member: { everyone: true } },
    },
  });
  const access = { everyone: true };
  await registerServer(api, { slug: "tickets", name: "Tickets", url: "https://tickets.example.com/mcp", access });
  await registerServer(api, { slug: "wiki", name: "Company wiki", url: "https://wiki.example.com/mcp", access });
  for (const uri of ["http://127.0.0.1", appRedirect, `${webClient}/callback`, `${webClient}/onward`]) {
    await trustRedirect(api, uri, "Test client");
  }
}

/** Opens an address and, where it leads to the identity provider, presses a name there. */
export async function openAs(page: Page, url: string, person: "ada" | "ben"): Promise<void> {
  await page.goto(url);
  const name = page.locator(`button[name="person"][value="${person}"]`);
  if ((await name.count()) > 0) await Promise.all([page.waitForURL((at) => at.hostname === "localhost"), name.click()]);
}

export type { BrowserContext, Page };

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** @returns what axe finds wrong, as lines; every rule of WCAG 2.2 AA and best practice */
export async function axe(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  return page.evaluate(async () => {
    const run = (globalThis as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } }).axe.run;
    interface Violation {
      id: string;
      help: string;
      nodes: { html: string; failureSummary: string }[];
    }
    const { violations } = await run();
    return violations.flatMap(({ id, help, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${help}: ${html} ${failureSummary}`),
    );
  });
}
