/** The whole Worker, an OpenID provider in the test, and browsers that keep cookies. */
import { createHarness, setUp, type Harness, type Tenant } from "../gateway/support.ts";
import { FakeProvider, makeKey } from "../login/fake-provider.ts";
import { limits } from "../../../src/limits.ts";
import type { Clock } from "../../../src/ports.ts";
import { systemPorts } from "../../../src/system-ports.ts";

export const callback = "https://app.client.test/callback";

export interface World {
  readonly harness: Harness;
  readonly tenant: Tenant;
  readonly provider: FakeProvider;
  /** Ids of two servers that everybody may reach: `tickets` and `wiki`. */
  readonly servers: { readonly tickets: string; readonly wiki: string };
  advance(duration_ms: number): void;
  now(): number;
}

/** People by what the provider says of them. The group `staff` administrates, `auditors` audits. */
export const alice = {
  sub: "alice",
  email: "alice@a.test",
  email_verified: true,
  name: "Alice Example",
  groups: ["staff"],
};
export const bob = { sub: "bob", email: "bob@a.test", email_verified: true, name: "Bob Example", groups: ["sales"] };
export const vera = {
  sub: "vera",
  email: "vera@a.test",
  email_verified: true,
  name: "Vera Example",
  groups: ["auditors"],
};

export interface WorldOptions {
  /** False leaves sign-in as it is in a new tenant. */
  readonly provider?: boolean;
  /** Other hosts; undefined for those that there are none of. */
  readonly network?: (request: Request) => Promise<Response> | undefined;
  readonly bindings?: Record<string, unknown>;
}

export async function createWorld(origin = "https://a.gw.test", more: WorldOptions = {}): Promise<World> {
  let offset_ms = 0;
  const provider = new FakeProvider("https://idp.test", await makeKey("k1"));
  const clock: Clock = {
    now: () => systemPorts.clock.now() + offset_ms,
    // Failures of unknown callers are counted over a window, the one wait of this length that nothing cuts short: no test waits for it.
    sleep: (duration_ms, signal) =>
      duration_ms === limits.unknownCallers_ms && signal === undefined
        ? Promise.resolve()
        : systemPorts.clock.sleep(duration_ms, signal),
  };
  const network = async (request: Request): Promise<Response> => {
    if (new URL(request.url).origin === provider.issuer) return provider.answer(request);
    const answer = more.network?.(request);
    if (answer === undefined) throw new TypeError("connection refused");
    return answer;
  };
  const harness = createHarness({ ports: { clock, network }, bindings: more.bindings ?? {} });
  const tenant = await setUp(harness, origin);
  if (more.provider !== false) await addProvider(tenant, provider);
  const access = { everyone: true };
  const servers = {
    tickets: await tenant.addServer("tickets", { name: "Tickets", access }),
    wiki: await tenant.addServer("wiki", { name: "Company wiki", access }),
  };
  await trust(tenant, callback);
  return {
    ...{ harness, tenant, provider, servers },
    now: clock.now,
    advance: (duration_ms) => void (offset_ms += duration_ms),
  };
}

export async function addProvider(tenant: Tenant, provider: FakeProvider, name = "Directory"): Promise<void> {
  await create(tenant, "/identity-providers", {
    ...{
      kind: "generic",
      name,
      issuer: provider.issuer,
      client_id: provider.client_id,
      client_secret: "the-client-secret",
    },
    options: {
      roles: { administrator: { groups: ["staff"] }, auditor: { groups: ["auditors"] }, member: { everyone: true } },
    },
  });
}

export const trust = (tenant: Tenant, uri: string): Promise<Record<string, unknown>> =>
  create(tenant, "/redirect-uris", { uri, note: "" });

export async function create(tenant: Tenant, path: string, body: unknown): Promise<Record<string, unknown>> {
  const response = await tenant.api("POST", path, body);
  if (response.status !== 201) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

let registrations = 0;

/** A client that registers itself. @returns its id */
export async function register({ harness, tenant }: World, name = "Helper", redirect_uri = callback): Promise<string> {
  registrations += 1;
  const response = await harness.fetch(`${tenant.origin}/oauth/register`, {
    method: "POST",
    // Registrations of one network are limited.
    headers: { "content-type": "application/json", "cf-connecting-ip": `198.18.${registrations}.1` },
    body: JSON.stringify({ client_name: name, redirect_uris: [redirect_uri], token_endpoint_auth_method: "none" }),
  });
  if (response.status !== 201) throw new Error(`registration: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { client_id: string }).client_id;
}

/** The path of a right authorization request. */
export function authorizePath(
  { tenant }: World,
  client_id: string,
  more: Readonly<Record<string, string>> = {},
): string {
  const query = new URLSearchParams({
    ...{ response_type: "code", client_id, redirect_uri: callback, state: "the-state" },
    ...{ resource: `${tenant.origin}/mcp`, code_challenge_method: "S256" },
    code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    ...more,
  });
  return `/oauth/authorize?${query}`;
}

type Fields = readonly (readonly [string, string])[];

/** A browser: it keeps the cookies of one host, and says where its forms come from. */
export class Browser {
  readonly cookies = new Map<string, string>();
  /** Every Set-Cookie that it got. */
  readonly received: string[] = [];
  readonly #world: World;
  readonly #origin: string;

  constructor(world: World, origin = world.tenant.origin) {
    this.#world = world;
    this.#origin = origin;
  }

  async send(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    if (cookie !== "" && !headers.has("cookie")) headers.set("cookie", cookie);
    const response = await this.#world.harness.fetch(new URL(path, this.#origin).href, { ...init, headers });
    for (const set of response.headers.getSetCookie()) {
      this.received.push(set);
      const [pair = ""] = set.split(";");
      const at = pair.indexOf("=");
      if (/max-age=0\b/i.test(set)) this.cookies.delete(pair.slice(0, at));
      else this.cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    return response;
  }

  get(path: string): Promise<Response> {
    return this.send(path, { headers: { accept: "text/html" } });
  }

  post(path: string, fields: Fields, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return this.send(path, {
      method: "POST",
      body: new URLSearchParams(fields.map(([name, value]) => [name, value])).toString(),
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        ...{ origin: this.#origin, "sec-fetch-site": "same-origin" },
        ...headers,
      },
    });
  }

  /** Goes through the provider, who says these claims. @returns the answer to the way back */
  async signIn(claims: Record<string, unknown> = alice, path = "/login"): Promise<Response> {
    const { provider } = this.#world;
    const now_s = Math.floor(this.#world.now() / 1000);
    provider.claims = claims;
    provider.idToken = { iat: now_s, exp: now_s + 300, auth_time: now_s };
    const asked = await this.get(path);
    const location = asked.headers.get("location") ?? "";
    if (!location.startsWith(provider.issuer)) throw new Error(`no way to the provider: ${asked.status} ${location}`);
    const answer = provider.authorize(new URL(location));
    return this.get(answer.pathname + answer.search);
  }

  /** Follows our own redirects to the page or to the address elsewhere where they end. */
  async follow(path: string): Promise<Response> {
    for (let response = await this.get(path); ;) {
      const location = response.headers.get("location");
      if (location === null || !new URL(location, this.#origin).href.startsWith(`${this.#origin}/`)) return response;
      response = await this.get(location);
    }
  }
}

/** Allows a client in this browser and redeems its code. @returns the id of the grant */
export async function connect(world: World, client_id: string, browser: Browser): Promise<string> {
  const { fields } = await atConsent(world, client_id, { browser });
  const answered = await browser.post("/oauth/consent", [...fields, ["decision", "allow"]]);
  const code = new URL(answered.headers.get("location") ?? "").searchParams.get("code") ?? "";
  const body = new URLSearchParams({
    ...{ grant_type: "authorization_code", client_id, code, redirect_uri: callback },
    ...{ code_verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", resource: `${world.tenant.origin}/mcp` },
  });
  const response = await world.harness.fetch(`${world.tenant.origin}/oauth/token`, { method: "POST", body });
  if (response.status !== 200) throw new Error(`token: ${response.status} ${await response.text()}`);
  const html = await (await browser.get("/me")).text();
  const id = /\/me\/grants\/([0-9a-f-]{36})\/servers/.exec(html)?.[1];
  if (id === undefined) throw new Error("no grant is shown");
  return id;
}

/** What stands for a client in the addresses of the inventory. */
export const agentKey = (client_id: string): string =>
  new TextEncoder().encode(client_id).toBase64({ alphabet: "base64url", omitPadding: true });

/** The token for forms of the page at this path. */
export async function tokenAt(browser: Browser, path: string): Promise<[string, string]> {
  const html = await (await browser.get(path)).text();
  return ["form_token", /name="form_token" value="([^"]*)"/.exec(html)?.[1] ?? ""];
}

/** The values of the hidden fields and checkboxes of the form that goes to `action`. */
export function fieldsOf(html: string, action: string): [string, string][] {
  const form = html.split("<form ").find((part) => part.includes(`action="${action}"`)) ?? "";
  const [own = ""] = form.split("</form>");
  return [...own.matchAll(/<input (?<attributes>[^>]*)>/g)].flatMap((match): [string, string][] => {
    const attributes = match.groups?.["attributes"] ?? "";
    const read = (name: string): string | undefined => new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1];
    const isSent = read("type") === "hidden" || (read("type") === "checkbox" && attributes.includes("checked"));
    return isSent ? [[read("name") ?? "", read("value") ?? ""]] : [];
  });
}

/** A signed-in browser on the consent page of a client. */
export async function atConsent(
  world: World,
  client_id: string,
  more: { browser?: Browser; parameters?: Readonly<Record<string, string>>; claims?: Record<string, unknown> } = {},
): Promise<{ browser: Browser; html: string; fields: [string, string][]; response: Response }> {
  const browser = more.browser ?? new Browser(world);
  if (!browser.cookies.has("__Host-gatehouse")) await browser.signIn(more.claims ?? alice);
  const response = await browser.follow(authorizePath(world, client_id, more.parameters));
  const html = await response.text();
  return { browser, html, fields: fieldsOf(html, "/oauth/consent"), response };
}
