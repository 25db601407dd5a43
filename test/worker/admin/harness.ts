/** The admin API as the app mounts it: real D1, real vault, real egress rules; what is announced and recorded is kept. */
import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { createAdminApi, type AdminDependencies } from "../../../src/admin/index.ts";
import type { AdminEvent, AuditEvent } from "../../../src/audit/index.ts";
import { checkUrl } from "../../../src/egress/index.ts";
import { failure, type Failure } from "../../../src/errors.ts";
import type { Visit } from "../../../src/login/index.ts";
import type { Platform } from "../../../src/platform.ts";
import { err, ok, type Ports, type Result } from "../../../src/ports.ts";
import type { ServerStatus } from "../../../src/registry/index.ts";
import { currentSnapshot } from "../../../src/tenant/index.ts";
import { createVault, type Vault } from "../../../src/vault/index.ts";

export const setupSecret = "q7Zr1uVx9Kd3Wm5Tb8Ys2Hn6Jc4Lf0Pg";
const start = Date.UTC(2026, 10, 21, 12, 0, 0);

/** One sequence for all harnesses of a file: token hashes are unique in the whole database. */
let seed = 20261121;
function nextByte(): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return seed & 0xff;
}
let ids = 0;

/** Every member that some answer has. A test that reads one which is absent fails on its value. */
export interface Body {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly url: string;
  readonly endpoint: string;
  readonly description: string;
  readonly enabled: boolean;
  readonly authentication: { readonly type: string };
  readonly credential: { readonly set: boolean };
  readonly ready: boolean;
  readonly ready_detail: string;
  readonly warnings: readonly string[];
  readonly servers: readonly string[];
  readonly token: string;
  readonly secret: string;
  readonly tokens: readonly Body[];
  readonly created_at: number;
  readonly updated_at: number;
  readonly expires_at: number;
  readonly revoked_at: number | null;
  readonly live: boolean;
  readonly replaces: { readonly id: string; readonly expires_at: number };
  readonly audit_strict: boolean;
  readonly allowed_origins: readonly string[];
  readonly registration: Readonly<Record<string, unknown>>;
  readonly oauth: Readonly<Record<string, unknown>> | null;
  readonly client_secret: { readonly set: boolean };
  readonly issuer: string;
  readonly redirect_uri: string;
  readonly backchannel_logout_uri: string;
  readonly token_endpoint_origin: string | null;
  readonly email: string | null;
  readonly uri: string;
  readonly key: string;
  readonly user: Readonly<Record<string, unknown>>;
  readonly owner: Readonly<Record<string, unknown>> | null;
  readonly uses: readonly Readonly<Record<string, unknown>>[];
  readonly living: boolean;
  readonly revoked_reason: string | null;
  readonly revoked_grants: number;
  readonly disabled_at: number | null;
  readonly items: readonly Body[];
  readonly next: string | null;
  readonly type: string;
  readonly title: string;
  readonly detail: string;
  readonly errors: readonly { readonly path: string; readonly message: string }[];
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
  readonly text: string;
}

export interface Sent {
  readonly headers?: Record<string, string>;
  /** Sent as it is; no content type is added. */
  readonly raw?: BodyInit;
}

export class Harness {
  readonly events: AdminEvent[] = [];
  announced_count = 0;
  now = start;
  /** Resolves the waits that are under way: virtual time passes. */
  readonly waiting = new Set<() => void>();
  recording: Result<void, Failure> = ok(undefined);
  announcing: Result<void, Failure> = ok(undefined);
  readonly filters: unknown[] = [];
  readonly statuses = new Map<string, ServerStatus>();

  readonly app = new Hono<{ Variables: { admin: AdminDependencies } }>();

  readonly tenant: string;
  readonly vault: Vault;
  readonly changes: Partial<AdminDependencies>;

  constructor(tenant: string, vault: Vault, changes: Partial<AdminDependencies> = {}) {
    this.tenant = tenant;
    this.vault = vault;
    this.changes = changes;
    this.app.use("/api/v1/*", async (context, next) => {
      context.set("admin", { ...(await this.dependencies()), ...this.changes });
      await next();
      await Promise.all(this.behind.splice(0));
    });
    this.app.route("/api/v1", createAdminApi());
  }

  /** What people and clients get and lose, apart from the changes of administrators. */
  readonly authEvents: AuditEvent[] = [];
  /** What runs behind the answer. */
  readonly behind: Promise<unknown>[] = [];

  async visit(): Promise<Visit> {
    const platform: Platform = {
      configuration: {
        mode: "enterprise",
        hosts: new Map(),
        keys: "",
        setupSecret: undefined,
        egressOrigins: new Set(),
      },
      ports: this.ports,
      bindings: env,
      waitUntil: (promise) => this.behind.push(promise),
      log: () => undefined,
    };
    const snapshot = await currentSnapshot(platform, this.tenant);
    if (!snapshot.ok) throw new Error("There is no snapshot.");
    return {
      platform,
      tenant: { id: this.tenant, origin: "https://a.gw.test" },
      snapshot: snapshot.value,
      vault: this.vault,
      fetch: () => Promise.reject(new Error("The admin API calls nobody.")),
      recorder: {
        record: async (event) => {
          this.authEvents.push(event);
          return ok(undefined);
        },
      },
      source: { network: "192.0.2.0/24" },
      countUnknown: () => undefined,
    };
  }

  async dependencies(): Promise<AdminDependencies> {
    return {
      tenant: this.tenant,
      origin: "https://a.gw.test",
      mode: "enterprise",
      initialised: true,
      setupSecret,
      database: env.DB,
      ports: this.ports,
      vault: this.vault,
      principal: { id: "administrator:one", kind: "administrator", agent: "administrator:one", token_id: "one" },
      admissionFailure: undefined,
      visit: await this.visit(),
      checkUrl: (url) => checkUrl(url, { mode: "enterprise", origins: new Set() }),
      record: async (event: AuditEvent) => {
        if (this.recording.ok && event.type === "admin.change") this.events.push(event);
        return this.recording;
      },
      announce: async () => {
        if (this.announcing.ok) this.announced_count += 1;
        return this.announcing;
      },
      queryEvents: async (filter) => {
        this.filters.push(filter);
        return ok({ events: [], next: undefined });
      },
      readServerStatus: async (id) => this.statuses.get(id),
    };
  }

  readonly ports: Ports = {
    clock: {
      now: () => this.now,
      sleep: (_duration_ms, signal) =>
        new Promise((resolve) => {
          this.waiting.add(resolve);
          signal?.addEventListener("abort", () => resolve());
        }),
    },
    random: {
      bytes: (length) => Uint8Array.from({ length }, nextByte),
      uuid: () => {
        ids += 1;
        const time = this.now.toString(16).padStart(12, "0");
        return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${ids.toString(16).padStart(12, "0")}`;
      },
    },
    network: () => Promise.reject(new Error("The admin API calls nobody.")),
  };

  async send(method: string, path: string, body?: unknown, sent: Sent = {}): Promise<Answered> {
    const plain = body === undefined ? null : JSON.stringify(body);
    const typed: Record<string, string> =
      sent.raw === undefined && method !== "GET" && method !== "HEAD" ? { "content-type": "application/json" } : {};
    const response = await this.app.request(`https://a.gw.test/api/v1${path}`, {
      method,
      headers: { ...typed, ...sent.headers },
      body: sent.raw ?? plain,
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: JSON.parse(isJson && text !== "" ? text : "{}"),
    };
  }

  get = (path: string, headers: Record<string, string> = {}) => this.send("GET", path, undefined, { headers });
  post = (path: string, body?: unknown, headers: Record<string, string> = {}) =>
    this.send("POST", path, body, { headers });
  patch = (path: string, body?: unknown, headers: Record<string, string> = {}) =>
    this.send("PATCH", path, body, { headers });
  remove = (path: string, headers: Record<string, string> = {}) => this.send("DELETE", path, undefined, { headers });

  async server(body: object = {}): Promise<Body> {
    ids += 1;
    const made = await this.post("/servers", { slug: `s${ids}`, url: "https://mcp.example.com/mcp", ...body });
    if (made.status !== 201) throw new Error(made.text);
    return made.body;
  }

  async client(body: object = {}): Promise<Body> {
    const made = await this.post("/clients", { name: "nightly", ...body });
    if (made.status !== 201) throw new Error(made.text);
    return made.body;
  }

  async token(clientId: string, body: object = {}): Promise<Body> {
    const made = await this.post(`/clients/${clientId}/tokens`, body);
    if (made.status !== 201) throw new Error(made.text);
    return made.body;
  }

  /** The same world for another caller or tenant. */
  as(changes: Partial<AdminDependencies>, tenant = this.tenant): Harness {
    const other = new Harness(tenant, this.vault, changes);
    other.now = this.now;
    return other;
  }
}

let tenants = 0;

/** A new tenant each time: tests of one file share the database. */
export async function harness(changes: Partial<AdminDependencies> = {}): Promise<Harness> {
  tenants += 1;
  const made = new Harness(`t${tenants}`, await testVault(), changes);
  return made;
}

async function testVault(): Promise<Vault> {
  const key = new Uint8Array(32).fill(7).toBase64({ alphabet: "base64url", omitPadding: true });
  const clock = { now: () => start, sleep: () => Promise.resolve() };
  const random = { bytes: (length: number) => Uint8Array.from({ length }, nextByte), uuid: () => "unused" };
  const vault = await createVault(`test:${key}`, { clock, random });
  if (!vault.ok) throw new Error(vault.error);
  return vault.value;
}

export const unavailable = err(failure("unavailable"));
