/** A request of a client, with real storage, vault and audit, a scripted network and a clock that the test moves. */
import { env } from "cloudflare:workers";
import { createRecorder, type AuditEvent, type AuthEvent } from "../../../src/audit/index.ts";
import { clients, openDatabase, tokens, type Database } from "../../../src/db/index.ts";
import { createSafeFetch } from "../../../src/egress/index.ts";
import { parseConfiguration } from "../../../src/env.ts";
import type { Visit } from "../../../src/login/index.ts";
import { limits } from "../../../src/limits.ts";
import { trustedRedirects, type RegistrationMetadata } from "../../../src/oauth/index.ts";
import { handleRegister } from "../../../src/oauth/register-endpoint.ts";
import type { Platform } from "../../../src/platform.ts";
import type { Ports } from "../../../src/ports.ts";
import { sha256 } from "../../../src/sha256.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { settingsSchema, type TenantSettings } from "../../../src/tenant/index.ts";
import { createVault } from "../../../src/vault/index.ts";
import { freshKeys } from "../gateway/support.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";

export const origin = "https://a.gw.test";

type Answer = (request: Request) => Response | Promise<Response>;

export interface World {
  readonly clock: VirtualClock;
  readonly visit: Visit;
  readonly database: Database;
  readonly tenant: string;
  /** Events that were handed over, in order. */
  readonly events: AuditEvent[];
  /** Reasons of callers that nobody knows, in order. */
  readonly unknown: string[];
  /** URLs that left the Worker, in order. */
  readonly seen: string[];
  serve(host: string, answer: Answer): void;
  /** Publishes a metadata document at its own `client_id`, and trusts nothing yet. */
  publish(document: Record<string, unknown>): void;
  trust(...uris: string[]): Promise<void>;
  /** The visit of somebody else. */
  from(network: string): Visit;
  with(registration: Partial<TenantSettings["registration"]>): Visit;
}

export async function createWorld(tenant = `t-${crypto.randomUUID().slice(0, 8)}`): Promise<World> {
  const clock = new VirtualClock(Date.now());
  const [hosts, seen] = [new Map<string, Answer>(), [] as string[]];
  const [events, unknown] = [[] as AuditEvent[], [] as string[]];
  const ports: Ports = {
    ...systemPorts,
    clock,
    async network(request) {
      seen.push(request.url);
      const answer = hosts.get(new URL(request.url).host);
      if (answer === undefined) throw new TypeError("connection refused");
      return answer(request);
    },
  };
  const configuration = parseConfiguration({ ...env, GATEHOUSE_MODE: "enterprise" });
  const vault = await createVault(freshKeys(), ports);
  if (!configuration.ok || !vault.ok) throw new Error("the test's own configuration");
  const platform: Platform = {
    configuration: configuration.value,
    ports,
    bindings: env,
    waitUntil: () => undefined,
    log: () => undefined,
  };
  const queue = {
    async send(event: AuditEvent) {
      const sent = await env.AUDIT.send(event);
      events.push(event);
      return sent;
    },
  };
  const settings = settingsSchema.parse({});
  const visit: Visit = {
    platform,
    tenant: { id: tenant, origin },
    snapshot: {
      ...{ tenant, version: 1, loaded_at: clock.now(), initialised: true, settings },
      ...{ servers: new Map(), clients: new Map(), tokens: new Map(), tokensById: new Map() },
      ...{ verificationKeys: new Map(), revocations: new Map(), revokedBefore: 0 },
    },
    vault: vault.value,
    fetch: createSafeFetch(ports, { mode: "enterprise", origins: new Set() }),
    recorder: createRecorder({ queue, outbox: env.OUTBOX, clock }),
    source: { country: "CH", network: "203.0.113.0/24" },
    countUnknown: (reason) => void unknown.push(reason),
  };
  const database = openDatabase(env.DB);
  const serve = (host: string, answer: Answer): void => void hosts.set(host, answer);
  return {
    ...{ clock, visit, database, tenant, events, unknown, seen, serve },
    publish(document) {
      const url = String(document["client_id"]);
      const others = hosts.get(new URL(url).host);
      serve(new URL(url).host, (request) =>
        request.url === url ? Response.json(document) : (others?.(request) ?? new Response("", { status: 404 })),
      );
    },
    async trust(...uris) {
      const store = trustedRedirects(database, tenant);
      for (const uri of uris) {
        const entry = { id: ports.random.uuid(), uri, note: "", created_at: clock.now(), created_by: "test" };
        if ((await store.insert(entry)) === "full") throw new Error("no room for another entry");
      }
    },
    from: (network) => ({ ...visit, source: { network } }),
    with: (registration) => ({
      ...visit,
      snapshot: {
        ...visit.snapshot,
        settings: { ...settings, registration: { ...settings.registration, ...registration } },
      },
    }),
  };
}

/** A client as an administrator registers it. @returns its id */
export async function addRegistered(
  { database, tenant }: World,
  oauth: Partial<RegistrationMetadata> | null = {},
  enabled = true,
): Promise<string> {
  const id = crypto.randomUUID();
  const metadata = {
    redirect_uris: ["https://app.test/cb"],
    authentication: "none",
    grant_types: ["authorization_code", "refresh_token"],
    ...oauth,
  };
  await database.insert(clients).values({
    ...{ tenant_id: tenant, id, name: "Desk", description: "", enabled, servers: "[]" },
    ...{ oauth: oauth === null ? null : JSON.stringify(metadata), created_at: 0, updated_at: 0 },
  });
  return id;
}

/** Gives a registered client a secret. */
export async function addSecret(
  { database, tenant, clock }: World,
  client_id: string,
  secret: string,
  life_ms = 60_000,
) {
  const id = crypto.randomUUID();
  const now = clock.now();
  const hash = await sha256(secret);
  await database.insert(tokens).values({
    ...{ tenant_id: tenant, id, kind: "secret", client_id, name: "", hash, created_at: now, expires_at: now + life_ms },
  });
  return id;
}

export const s256 = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/** A right request of `/oauth/authorize`; undefined takes a parameter away. */
export function authorizeParameters(
  client_id: string,
  redirect_uri: string,
  more: Readonly<Record<string, string | undefined>> = {},
): URLSearchParams {
  const all = {
    ...{ response_type: "code", client_id, redirect_uri, state: "s-1", scope: "mcp" },
    ...{ code_challenge: s256, code_challenge_method: "S256", resource: `${origin}/mcp` },
    ...more,
  };
  return new URLSearchParams(
    Object.entries(all).flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]])),
  );
}

export function registerRequest(body: unknown, contentType = "application/json"): Request {
  return new Request(`${origin}/oauth/register`, {
    method: "POST",
    headers: contentType === "" ? {} : { "content-type": contentType },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

export interface Registered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

export async function register(visit: Visit, body: unknown, contentType?: string): Promise<Registered> {
  const response = await handleRegister(visit, registerRequest(body, contentType));
  return { status: response.status, headers: response.headers, body: await response.json() };
}

export const blocks = ({ events }: World): AuthEvent[] =>
  events.flatMap((event) => (event.type === "auth.activity" && event.action === "authorization.block" ? [event] : []));

/** Rows of the tenant, to see that nothing changed. */
export async function rowCounts({ tenant }: World): Promise<Record<string, number>> {
  const names = ["clients", "tokens", "dynamic_clients", "redirect_uris", "agents", "blocked_redirects", "grants"];
  const counted = await env.DB.batch<{ n: number }>(
    names.map((name) => env.DB.prepare(`SELECT count(*) AS n FROM ${name} WHERE tenant_id = ?`).bind(tenant)),
  );
  return Object.fromEntries(names.map((name, index) => [name, counted[index]?.results[0]?.n ?? -1]));
}

/** Another moment, past every window of a limit. */
export const later_ms = limits.registrations_ms + 1;
