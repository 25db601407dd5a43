/** A tenant with people, servers and their connections: real D1 and Durable Objects, a clock that the test moves, and a scripted network. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { and, eq } from "drizzle-orm";
import { createRecorder, type AuditEvent } from "../../../src/audit/index.ts";
import type { Base, Renew, RenewedTokens, TokenFailure } from "../../../src/connections/index.ts";
import { connections, openDatabase, servers, users, type Database } from "../../../src/db/index.ts";
import { createSafeFetch } from "../../../src/egress/index.ts";
import { parseConfiguration } from "../../../src/env.ts";
import type { Platform } from "../../../src/platform.ts";
import { err, ok, type Ports } from "../../../src/ports.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { announceChange, currentSnapshot } from "../../../src/tenant/index.ts";
import {
  connectionStore,
  createVault,
  type Connection,
  type ConnectionKey,
  type ConnectionStore,
  type NewConnection,
} from "../../../src/vault/index.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";

export const issuer = "https://idp.upstream.test";
export const token_endpoint = `${issuer}/token`;
export const revocation_endpoint = `${issuer}/revoke`;

export type Row = typeof connections.$inferSelect;

export interface World {
  readonly tenant: string;
  readonly clock: VirtualClock;
  readonly database: Database;
  readonly platform: Platform;
  readonly events: AuditEvent[];
  readonly logged: string[];
  /** Everything that left, in order, with its body. */
  readonly sent: { readonly url: string; readonly body: string }[];
  readonly store: ConnectionStore;
  /** Of one request, on the newest snapshot. @param bindings of a platform that fails */
  base(bindings?: Partial<Env>): Promise<Base>;
  serve(host: string, answer: (request: Request) => Response | Promise<Response>): void;
  announce(): Promise<void>;
  addUser(id?: string): Promise<string>;
  addServer(id?: string): Promise<string>;
  object(key: ConnectionKey): DurableObjectStub<Connection>;
  /** Gives the object the clock of the test. */
  hold(key: ConnectionKey): Promise<void>;
  row(key: ConnectionKey): Promise<Row | undefined>;
  /** Settles what runs behind answers. */
  settled(): Promise<void>;
}

export async function createWorld(): Promise<World> {
  const tenant = `conn-${crypto.randomUUID().slice(0, 8)}`;
  const clock = new VirtualClock(Date.now());
  const hosts = new Map<string, (request: Request) => Response | Promise<Response>>();
  const sent: { url: string; body: string }[] = [];
  const events: AuditEvent[] = [];
  const logged: string[] = [];
  const behind: Promise<unknown>[] = [];
  const ports: Ports = {
    ...systemPorts,
    clock,
    async network(request) {
      sent.push({ url: request.url, body: await request.clone().text() });
      const answer = hosts.get(new URL(request.url).host);
      if (answer === undefined) throw new TypeError("connection refused");
      return answer(request);
    },
  };
  const configured = { ...env, GATEHOUSE_TENANTS: `${tenant}=a.gw.test` } as Env;
  const configuration = parseConfiguration(configured);
  if (!configuration.ok) throw new Error(configuration.error);
  const keys = crypto.getRandomValues(new Uint8Array(32)).toBase64({ alphabet: "base64url", omitPadding: true });
  const vault = await createVault(`test:${keys}`, ports);
  if (!vault.ok) throw new Error(vault.error);
  const platform: Platform = {
    configuration: configuration.value,
    ports,
    bindings: configured,
    waitUntil: (promise) => void behind.push(promise.catch(() => undefined)),
    log: (level, message, fields) => void logged.push(JSON.stringify([level, message, fields])),
  };
  const recorder = createRecorder({
    queue: {
      send: async (event: AuditEvent) => {
        events.push(event);
        return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
      },
    },
    outbox: env.OUTBOX,
    clock,
  });
  const database = openDatabase(env.DB);
  const object = ({ user_id, target, account }: ConnectionKey): DurableObjectStub<Connection> =>
    env.CONNECTION.getByName(`${tenant}:${JSON.stringify([user_id, target, account])}`);

  return {
    ...{ tenant, clock, database, platform, events, logged, sent, object },
    store: connectionStore({ platform, tenant: { id: tenant }, vault: vault.value }),
    async base(bindings) {
      const snapshot = await currentSnapshot(platform, tenant, 0);
      if (!snapshot.ok) throw new Error("no snapshot");
      return {
        platform: bindings === undefined ? platform : { ...platform, bindings: { ...configured, ...bindings } },
        tenant: { id: tenant, origin: "https://a.gw.test" },
        snapshot: snapshot.value,
        vault: vault.value,
        fetch: createSafeFetch(ports, { mode: "enterprise", origins: new Set() }),
        recorder,
        source: { country: "CH", network: "192.0.2.0/24" },
      };
    },
    serve: (host, answer) => void hosts.set(host, answer),
    async announce() {
      await announceChange(platform, tenant);
    },
    async addUser(id = crypto.randomUUID()) {
      await database.insert(users).values({
        ...{ tenant_id: tenant, id, issuer: "https://idp.test", subject: id, provider_id: crypto.randomUUID() },
        ...{ email: `${id}@a.test`, email_verified: true, name: "Somebody", groups: "[]", role: "member" as const },
        enabled: true,
        ...{ created_at: 1, updated_at: 1, last_sign_in_at: 1 },
      });
      return id;
    },
    async addServer(id = crypto.randomUUID()) {
      await database.insert(servers).values({
        ...{ tenant_id: tenant, id, slug: `s${id.slice(0, 8)}`, name: "Up", url: "https://up.test/mcp" },
        ...{ enabled: true, timeout_ms: 5_000, credential: null, revision: 1, created_at: 1, updated_at: 1 },
        ...{
          authentication: JSON.stringify({
            ...{ type: "oauth", issuer, client_id: "our-client", client_authentication: "none" },
            endpoints: { authorization: `${issuer}/authorize`, token: token_endpoint, revocation: revocation_endpoint },
          }),
        },
        access: JSON.stringify({ everyone: true, groups: [] }),
      });
      await announceChange(platform, tenant);
      return id;
    },
    async hold(key) {
      await runInDurableObject(object(key), (instance) => {
        instance.clock = clock;
      });
    },
    async row({ user_id, target, account }) {
      const [row] = await database
        .select()
        .from(connections)
        .where(
          and(
            eq(connections.tenant_id, tenant),
            eq(connections.user_id, user_id),
            eq(connections.target, target),
            eq(connections.account, account),
          ),
        );
      return row;
    },
    async settled() {
      for (let count = -1; count !== behind.length;) {
        count = behind.length;
        await Promise.all(behind);
      }
    },
  };
}

/** Tokens that end in an hour of the world. */
export const linkOf = (world: World, more: Partial<NewConnection> = {}): NewConnection => ({
  credential: {
    ...{ kind: "tokens", access_token: "secret-access-1", refresh_token: "secret-refresh-1" },
    expires_at: world.clock.now() + 3_600_000,
  },
  ...{ issuer, token_endpoint, revocation_endpoint, client_id: "our-client" },
  ...{ scope: "read", asked_scope: "read", fit: "", step_ups: 0 },
  ...more,
});

/** The same, which ended already. */
export const overOf = (world: World): NewConnection =>
  linkOf(world, {
    credential: {
      ...{ kind: "tokens", access_token: "secret-access-1", refresh_token: "secret-refresh-1" },
      expires_at: world.clock.now() - 1,
    },
  });

/** What a provider that rotates gives next. */
export const tokensAt = (world: World, generation: number): RenewedTokens => ({
  tokens: {
    ...{ kind: "tokens", access_token: `secret-access-${generation}`, refresh_token: `secret-refresh-${generation}` },
    expires_at: world.clock.now() + 3_600_000,
  },
  ...{ scope: null, issuer, token_endpoint, client_id: "our-client" },
});

/** A provider with rotation and reuse detection: a refresh token that was used ends everything. */
export class RotatingProvider {
  readonly #world: World;
  #generation = 1;
  #isDead = false;
  /** Refresh tokens that came, in order. */
  readonly asked: string[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  readonly renew: Renew = (held) => {
    const token = held?.credential.kind === "tokens" ? (held.credential.refresh_token ?? "") : "";
    this.asked.push(token);
    if (this.#isDead || token !== `secret-refresh-${this.#generation}`) {
      this.#isDead = true;
      return Promise.resolve(refusedBy("dead", "invalid_grant"));
    }
    this.#generation += 1;
    return Promise.resolve(ok(tokensAt(this.#world, this.#generation)));
  };
}

export const refusedBy = (
  kind: TokenFailure["kind"],
  reason: string,
  retry_at?: number,
): { ok: false; error: TokenFailure } => err({ kind, reason, ...(retry_at === undefined ? {} : { retry_at }) });

/** Nothing of this may be in what is written down or answered. */
export function secretsIn(world: World, ...more: unknown[]): string[] {
  const written = JSON.stringify([world.logged, world.events, more]);
  return written.match(/secret-[a-z]+-\d+/g) ?? [];
}
