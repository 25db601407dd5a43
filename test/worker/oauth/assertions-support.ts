/** The token endpoint as clients that sign find it: real storage, keys, policy and audit, with a scripted network. */
import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { createRecorder, type AuditEvent, type AuthEvent } from "../../../src/audit/index.ts";
import { clients, identity_providers, openDatabase, servers, tokens, used_ids, users } from "../../../src/db/index.ts";
import { createSafeFetch } from "../../../src/egress/index.ts";
import { parseConfiguration } from "../../../src/env.ts";
import type { Visit } from "../../../src/login/index.ts";
import {
  handleToken,
  verifyAccessToken,
  type AccessClaims,
  type RegistrationMetadata,
} from "../../../src/oauth/index.ts";
import type { Ports } from "../../../src/ports.ts";
import { sha256 } from "../../../src/sha256.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { announceChange, currentSnapshot } from "../../../src/tenant/index.ts";
import { createVault } from "../../../src/vault/index.ts";
import { freshKeys } from "../gateway/support.ts";
import { createSigner, json, type Signer } from "../trust/support.ts";

export const origin = "https://a.gw.test";
export const idp = "https://idp.example";
export const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";
export const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

export interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
  /** `error`, or "ok". */
  readonly error: unknown;
}

export interface World {
  readonly tenant: string;
  readonly events: AuditEvent[];
  /** Reasons of callers that nobody knows. */
  readonly unknown: string[];
  /** URLs that left the Worker. */
  readonly seen: string[];
  readonly logged: string[];
  /** Whole seconds since the Unix epoch. */
  seconds(): number;
  advance(duration_ms: number): void;
  serve(host: string, answer: (request: Request) => Response | Promise<Response>): void;
  close(host: string): void;
  failAudit(): void;
  visit(): Promise<Visit>;
  /** @param network where the request comes from */
  ask(parameters: Record<string, string>, headers?: Record<string, string>, network?: string): Promise<Asked>;
  /** Claims of a token that the endpoint issued, as `/mcp` would see them. */
  claims(asked: Asked, resource?: string): Promise<AccessClaims>;
  addServer(slug: string, access?: unknown): Promise<string>;
  addClient(oauth: Partial<RegistrationMetadata>, allowed?: readonly string[]): Promise<string>;
  addSecret(client_id: string, secret: string): Promise<void>;
  /** An identity provider at `idp`, published with the key of `signer`. */
  addProvider(signer: Signer, options?: Record<string, unknown>, enabled?: boolean): Promise<string>;
  /** Rows that a refused request must not have changed. */
  rows(): Promise<{ users: number; used_ids: number }>;
  setUserEnabled(id: string, enabled: boolean): Promise<void>;
}

export async function createWorld(): Promise<World> {
  const tenant = `as-${crypto.randomUUID().slice(0, 8)}`;
  const hosts = new Map<string, (request: Request) => Response | Promise<Response>>();
  const [events, unknown, seen, logged]: [AuditEvent[], string[], string[], string[]] = [[], [], [], []];
  let offset_ms = 1000 - (Date.now() % 1000);
  let auditFails = false;
  const ports: Ports = {
    ...systemPorts,
    clock: { now: () => systemPorts.clock.now() + offset_ms, sleep: systemPorts.clock.sleep },
    async network(request) {
      seen.push(request.url);
      const answer = hosts.get(new URL(request.url).host);
      if (answer === undefined) throw new TypeError("connection refused");
      return answer(request);
    },
  };
  const bindings: Env = { ...env, GATEHOUSE_TENANTS: `${tenant}=a.gw.test` };
  const configuration = parseConfiguration({ ...bindings, GATEHOUSE_MODE: "enterprise" });
  const vault = await createVault(freshKeys(), ports);
  if (!configuration.ok || !vault.ok) throw new Error("the test's own configuration");
  const platform: Visit["platform"] = {
    configuration: configuration.value,
    ports,
    bindings,
    waitUntil: () => undefined,
    log: (...line) => void logged.push(JSON.stringify(line)),
  };
  const queue = {
    async send(event: AuditEvent) {
      if (auditFails) throw new Error("no queue");
      const sent = await env.AUDIT.send(event);
      events.push(event);
      return sent;
    },
  };
  const outbox = new Proxy(env.OUTBOX, {
    get(target, property) {
      if (auditFails) throw new Error("no outbox");
      const member: unknown = Reflect.get(target, property);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
  const database = openDatabase(env.DB);
  const announce = (): Promise<unknown> => announceChange(platform, tenant);

  async function visit(): Promise<Visit> {
    const snapshot = await currentSnapshot(platform, tenant, 0);
    if (!snapshot.ok) throw new Error("no snapshot");
    return {
      ...{
        platform,
        tenant: { id: tenant, origin },
        snapshot: snapshot.value,
        vault: vault.ok ? vault.value : never(),
      },
      fetch: createSafeFetch(ports, { mode: "enterprise", origins: new Set() }),
      recorder: createRecorder({ queue, outbox, clock: ports.clock }),
      source: { country: "CH", network: "203.0.113.0/24" },
      countUnknown: (reason) => void unknown.push(reason),
    };
  }

  return {
    ...{ tenant, events, unknown, seen, logged, visit },
    seconds: () => Math.floor(ports.clock.now() / 1000),
    advance: (duration_ms) => void (offset_ms += duration_ms),
    serve: (host, answer) => void hosts.set(host, answer),
    close: (host) => void hosts.delete(host),
    failAudit: () => void (auditFails = true),
    async ask(parameters, headers = {}, network = "203.0.113.0/24") {
      const body = new URLSearchParams(parameters).toString();
      const type = { "content-type": "application/x-www-form-urlencoded" };
      const request = new Request(`${origin}/oauth/token`, { method: "POST", headers: { ...type, ...headers }, body });
      const response = await handleToken({ ...(await visit()), source: { country: "CH", network } }, request);
      const answered: Record<string, unknown> = await response.json();
      return { status: response.status, headers: response.headers, body: answered, error: answered["error"] ?? "ok" };
    },
    async claims(asked, resource = `${origin}/mcp`) {
      const { snapshot } = await visit();
      const token = String(asked.body["access_token"]);
      const verified = await verifyAccessToken(snapshot, origin, resource, token, ports.clock.now());
      if (!verified.ok) throw new Error(`${verified.error} ${JSON.stringify(asked.body)}`);
      return verified.value;
    },
    async addServer(slug, access = { everyone: true, groups: [] }) {
      const id = crypto.randomUUID();
      await database.insert(servers).values({
        ...{ tenant_id: tenant, id, slug, name: slug, url: `https://${slug}.upstream.test/mcp`, enabled: true },
        ...{ timeout_ms: 60_000, authentication: '{"type":"none"}', revision: 1, access: JSON.stringify(access) },
        ...{ created_at: 0, updated_at: 0 },
      });
      await announce();
      return id;
    },
    async addClient(oauth, allowed = []) {
      const id = crypto.randomUUID();
      const metadata = { redirect_uris: [], authentication: "none", grant_types: [jwtBearer], ...oauth };
      await database.insert(clients).values({
        ...{ tenant_id: tenant, id, name: "Builder", description: "", enabled: true },
        ...{ servers: JSON.stringify(allowed), oauth: JSON.stringify(metadata), created_at: 0, updated_at: 0 },
      });
      await announce();
      return id;
    },
    async addSecret(client_id, secret) {
      await database.insert(tokens).values({
        ...{
          tenant_id: tenant,
          id: crypto.randomUUID(),
          kind: "secret",
          client_id,
          name: "",
          hash: await sha256(secret),
        },
        ...{ created_at: 0, expires_at: ports.clock.now() + 86_400_000 },
      });
    },
    async addProvider(signer, options = { id_jag: true, roles: { member: { everyone: true } } }, enabled = true) {
      const id = crypto.randomUUID();
      await database.insert(identity_providers).values({
        ...{ tenant_id: tenant, id, kind: "generic", name: "Directory", issuer: idp, client_id: "gatehouse" },
        ...{ credential: null, options: JSON.stringify(options), enabled, revision: 1, created_at: 0, updated_at: 0 },
      });
      publishIssuer(hosts, idp, signer);
      return id;
    },
    async rows() {
      const of = async (table: typeof users | typeof used_ids): Promise<number> =>
        (await database.select().from(table).where(eq(table.tenant_id, tenant))).length;
      return { users: await of(users), used_ids: await of(used_ids) };
    },
    async setUserEnabled(id, enabled) {
      await database.update(users).set({ enabled }).where(eq(users.id, id));
    },
  };
}

function never(): never {
  throw new Error("the test's own vault");
}

/** Discovery document and key set of an issuer. */
export function publishIssuer(
  hosts: { set(host: string, answer: (request: Request) => Response): unknown },
  issuer: string,
  ...signers: readonly Signer[]
): void {
  hosts.set(new URL(issuer).host, ({ url }) =>
    url.endsWith("/keys")
      ? json({ keys: signers.map(({ jwk }) => jwk) })
      : json({
          ...{ issuer, jwks_uri: `${issuer}/keys`, authorization_endpoint: `${issuer}/authorize` },
          ...{ token_endpoint: `${issuer}/token`, id_token_signing_alg_values_supported: ["ES256", "RS256"] },
        }),
  );
}

export const authEvents = ({ events }: World): AuthEvent[] =>
  events.flatMap((event) => (event.type === "auth.activity" ? [event] : []));

/** What is written down about requests, to look for secrets in it. */
export const written = ({ events, unknown, logged }: World): string => JSON.stringify([events, unknown, logged]);

export { createSigner };
