/** A tenant with its identity providers: real D1 and Durable Objects, and providers that a test scripts in place of the network. */
import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { expect } from "vitest";
import { createRecorder, type AuditEvent } from "../../../src/audit/index.ts";
import { connections, openDatabase, users, web_sessions, type Database } from "../../../src/db/index.ts";
import { createSafeFetch } from "../../../src/egress/index.ts";
import { parseConfiguration } from "../../../src/env.ts";
import {
  beginSignIn,
  completeSignIn,
  providerOptionsSchema,
  providersRepository,
  sealProviderSecret,
  type SignInCompletion,
  type SignInWish,
  type StoredProvider,
  type Visit,
} from "../../../src/login/index.ts";
import type { Ports } from "../../../src/ports.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { announceChange, currentSnapshot } from "../../../src/tenant/index.ts";
import { createVault } from "../../../src/vault/index.ts";
import type { FakeProvider } from "./fake-provider.ts";

export interface World {
  readonly tenant: string;
  readonly origin: string;
  readonly database: Database;
  /** Every request that left, in order. */
  readonly sent: Request[];
  readonly events: AuditEvent[];
  /** Reasons of failures of people whom nobody knows. */
  readonly unknown: string[];
  /** Lines of the log, as text. */
  readonly logged: string[];
  /** The visit of one request, on the newest snapshot. */
  visit(network?: string): Promise<Visit>;
  /** Moves time on, for everything but the platform's own objects. */
  advance(duration_ms: number): void;
  now(): number;
  connect(provider: FakeProvider): void;
  /** Configures a provider of the tenant. */
  configure(provider: FakeProvider, more?: ProviderSetting): Promise<StoredProvider>;
  announce(): Promise<void>;
  failAudit(fails: boolean): void;
}

export type ProviderSetting = Partial<Omit<StoredProvider, "options">> & { options?: unknown; secret?: string | null };

export async function createWorld(host = "a.gw.test"): Promise<World> {
  const tenant = `login-${crypto.randomUUID().slice(0, 8)}`;
  const origin = `https://${host}`;
  const providers = new Map<string, FakeProvider>();
  const sent: Request[] = [];
  const events: AuditEvent[] = [];
  const unknown: string[] = [];
  const logged: string[] = [];
  let offset_ms = 0;
  let auditFails = false;
  const ports: Ports = {
    ...systemPorts,
    clock: { now: () => systemPorts.clock.now() + offset_ms, sleep: systemPorts.clock.sleep },
    network(request) {
      sent.push(request.clone());
      const provider = providers.get(new URL(request.url).host);
      if (provider === undefined) throw new TypeError("connection refused");
      return provider.answer(request);
    },
  };
  const bindings = { ...env, GATEHOUSE_TENANTS: `${tenant}=${host}` } as Env;
  const configuration = parseConfiguration(bindings);
  if (!configuration.ok) throw new Error(configuration.error);
  const keys = crypto.getRandomValues(new Uint8Array(32)).toBase64({ alphabet: "base64url", omitPadding: true });
  const vault = await createVault(`test:${keys}`, ports);
  if (!vault.ok) throw new Error(vault.error);
  const platform: Visit["platform"] = {
    configuration: configuration.value,
    ports,
    bindings,
    waitUntil: () => undefined,
    log: (level, message, fields) => void logged.push(JSON.stringify([level, message, fields])),
  };
  const recorder = createRecorder({
    queue: {
      send: async (event: AuditEvent) => {
        if (auditFails) throw new Error("no queue");
        events.push(event);
        return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
      },
    },
    outbox: new Proxy(env.OUTBOX, {
      get(outbox, property) {
        if (property === "idFromName" && auditFails) throw new Error("no outbox");
        const member: unknown = Reflect.get(outbox, property);
        return typeof member === "function" ? (member.bind(outbox) as unknown) : member;
      },
    }),
    clock: ports.clock,
  });
  const database = openDatabase(env.DB);
  const repository = providersRepository(database, tenant);

  const connect = (provider: FakeProvider): void => {
    providers.set(new URL(provider.issuer).host, provider);
    provider.clock = ports.clock.now;
  };

  return {
    ...{ tenant, origin, database, sent, events, unknown, logged },
    now: () => ports.clock.now(),
    advance: (duration_ms) => void (offset_ms += duration_ms),
    failAudit: (fails) => void (auditFails = fails),
    connect,
    async announce() {
      await announceChange(platform, tenant);
    },
    async visit(network = "192.0.2.0/24") {
      const snapshot = await currentSnapshot(platform, tenant, 0);
      if (!snapshot.ok) throw new Error("no snapshot");
      return {
        platform,
        tenant: { id: tenant, origin },
        snapshot: snapshot.value,
        vault: vault.value,
        fetch: createSafeFetch(ports, { mode: "enterprise", origins: new Set() }),
        recorder,
        source: { country: "CH", network },
        countUnknown: (reason) => void unknown.push(reason),
      };
    },
    async configure(provider, { options, secret = "the-client-secret", ...more } = {}) {
      connect(provider);
      const row = { id: systemPorts.random.uuid(), revision: 1, ...more };
      const stored: StoredProvider = {
        ...{ kind: "generic", name: "Directory", issuer: provider.issuer, client_id: provider.client_id },
        ...{ token_endpoint_origin: null, enabled: true, created_at: 1, updated_at: 1 },
        ...row,
        credential: secret === null ? null : await sealProviderSecret(vault.value, tenant, row, secret),
        options: providerOptionsSchema.parse(options ?? { roles: { member: { everyone: true } } }),
      };
      const inserted = await repository.insert(stored);
      if (inserted !== "inserted") throw new Error(inserted);
      return stored;
    },
  };
}

/** A browser: it keeps cookies and follows to the provider. */
export class Browser {
  readonly cookies = new Map<string, string>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  store(...cookies: readonly string[]): void {
    for (const cookie of cookies) {
      const [pair = ""] = cookie.split(";");
      const [name = "", value = ""] = pair.split("=");
      if (/max-age=0\b/i.test(cookie)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }

  get headers(): Headers {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    return new Headers(cookie === "" ? {} : { cookie });
  }

  /** Begins a sign-in. @returns the URL at the provider */
  async begin(wish: Partial<SignInWish> = {}): Promise<URL> {
    const begun = await beginSignIn(await this.#world.visit(), { return_to: "/me", ...wish }, this.headers);
    if (begun.kind !== "redirect") throw new Error(JSON.stringify(begun));
    this.store(...begun.cookies);
    return new URL(begun.location);
  }

  /** Takes the provider's answer back. */
  async complete(answer: string | URL): Promise<SignInCompletion> {
    const request = new Request(answer, { headers: this.headers });
    const completed = await completeSignIn(await this.#world.visit(), request);
    this.store(...completed.cookies);
    return completed;
  }

  /** The whole way, with a provider that agrees at once. */
  async signIn(provider: FakeProvider, wish: Partial<SignInWish> = {}): Promise<SignInCompletion> {
    return this.complete(provider.authorize(await this.begin(wish)));
  }
}

/** The reason of a sign-in that failed, after checking that no session came of it. */
export function reasonOf(completed: SignInCompletion): string {
  if (completed.kind !== "failed") throw new Error("the sign-in succeeded");
  if (completed.cookies.some((cookie) => cookie.startsWith("__Host-gatehouse="))) throw new Error("a session was made");
  return completed.reason;
}

/** What a refused sign-in must leave: nothing at all, and no secret in what is written down. */
export async function expectNothing(world: World, provider: FakeProvider): Promise<void> {
  const of = async (table: typeof users | typeof web_sessions | typeof connections): Promise<number> =>
    (await world.database.select().from(table).where(eq(table.tenant_id, world.tenant))).length;
  expect([await of(users), await of(web_sessions), await of(connections)]).toEqual([0, 0, 0]);
  expectNoSecret(world, provider);
}

export function expectNoSecret(world: World, provider: FakeProvider): void {
  const written = JSON.stringify([world.logged, world.events, world.unknown]);
  const secrets = ["the-client-secret", "the-access-token", "the-refresh-token", ...provider.secrets()];
  expect(secrets.filter((secret) => secret !== "" && written.includes(secret))).toEqual([]);
}
