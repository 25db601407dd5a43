/** A tenant with a server, a person who is signed in and a client, on the whole Worker; consent is given by the room itself. */
import { env } from "cloudflare:workers";
import { createRecorder } from "../../../src/audit/index.ts";
import {
  clients,
  identity_providers,
  openDatabase,
  redirect_uris,
  users,
  type Database,
} from "../../../src/db/index.ts";
import { createSafeFetch } from "../../../src/egress/index.ts";
import { parseConfiguration } from "../../../src/env.ts";
import type { User, Visit, WebSession } from "../../../src/login/index.ts";
import { approve, findClient, type AuthorizationRequest } from "../../../src/oauth/index.ts";
import type { Platform } from "../../../src/platform.ts";
import { sha256 } from "../../../src/sha256.ts";
import { announceChange, currentSnapshot } from "../../../src/tenant/index.ts";
import { createVault } from "../../../src/vault/index.ts";
import { freshKeys, modernPost, setUp, type Harness, type HarnessOptions, type Tenant } from "../gateway/support.ts";
import { echoUpstream, virtualHarness, type VirtualClock } from "../security/support.ts";

export const origin = "https://a.gw.test";
export const redirectUri = "https://app.test/cb";
export const verifier = "v".repeat(43);

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

export interface GrantWorld {
  readonly clock: VirtualClock;
  readonly harness: Harness;
  readonly admin: Tenant;
  readonly database: Database;
  readonly tenant: string;
  readonly platform: Platform;
  readonly user: User;
  readonly session: WebSession;
  /** A public client that an administrator registered, for both servers. */
  readonly client_id: string;
  /** Server ids. */
  readonly up: string;
  readonly down: string;
  visit(): Promise<Visit>;
  addClient(oauth?: object, servers?: readonly string[]): Promise<string>;
  request(more?: Partial<AuthorizationRequest>): Promise<AuthorizationRequest>;
  /** The person allows `up`, or what else is given. @returns the code */
  consent(more?: Partial<AuthorizationRequest>, chosen?: readonly string[]): Promise<string>;
  /** A POST to the token endpoint; undefined takes a parameter away. */
  token(parameters: Readonly<Record<string, string | undefined>>): Promise<Answer>;
  redeem(code: string, more?: Readonly<Record<string, string | undefined>>): Promise<Answer>;
  refresh(token: unknown, more?: Readonly<Record<string, string | undefined>>): Promise<Answer>;
  revoke(token: unknown, more?: Readonly<Record<string, string | undefined>>): Promise<Answer>;
  post(path: string, body: BodyInit, headers?: Record<string, string>): Promise<Answer>;
  /** What the MCP endpoint says to a call with this token. */
  call(token: unknown, path?: string): Promise<Answer>;
}

export const bodyOf = (text: string): Record<string, unknown> => {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
};

export async function createGrantWorld(options: HarnessOptions = {}): Promise<GrantWorld> {
  const tenant = `g-${crypto.randomUUID().slice(0, 8)}`;
  const keys = freshKeys();
  const bindings = {
    ...{ GATEHOUSE_KEYS: keys, GATEHOUSE_TENANTS: `${tenant}=a.gw.test ${tenant}-b=b.gw.test` },
    ...options.bindings,
  };
  const { clock, harness } = virtualHarness({ ...options, bindings });
  const admin = await setUp(harness);
  harness.serve("up.upstream.test", echoUpstream());
  harness.serve("down.upstream.test", echoUpstream());
  const up = await admin.addServer("up", { access: { everyone: true, groups: [] } });
  const down = await admin.addServer("down", { access: { everyone: false, groups: ["staff"] } });
  const database = openDatabase(env.DB);
  const platform = platformOf(harness, { ...env, ...bindings } as Env);
  const vault = await createVault(keys, harness.ports);
  if (!vault.ok) throw new Error(vault.error);
  const { user, session } = await addPerson(database, tenant, clock.now());
  await database.insert(redirect_uris).values({
    ...{ tenant_id: tenant, id: crypto.randomUUID(), uri: redirectUri, note: "", created_at: 0, created_by: "test" },
  });

  const visit = async (): Promise<Visit> => {
    const snapshot = await currentSnapshot(platform, tenant);
    if (!snapshot.ok) throw new Error("no snapshot");
    return {
      ...{ platform, tenant: { id: tenant, origin }, snapshot: snapshot.value, vault: vault.value },
      fetch: createSafeFetch(harness.ports, { mode: "enterprise", origins: new Set() }),
      recorder: createRecorder({ queue: platform.bindings.AUDIT, outbox: env.OUTBOX, clock }),
      source: { country: "CH", network: "203.0.113.0/24" },
      countUnknown: () => undefined,
    };
  };
  const addClient = async (oauth: object = {}, servers: readonly string[] = [up, down]): Promise<string> => {
    const id = crypto.randomUUID();
    const registration = {
      ...{ redirect_uris: [redirectUri], authentication: "none" },
      ...{ grant_types: ["authorization_code", "refresh_token"], ...oauth },
    };
    await database.insert(clients).values({
      ...{ tenant_id: tenant, id, name: "Desk", description: "", enabled: true, servers: JSON.stringify(servers) },
      ...{ oauth: JSON.stringify(registration), created_at: 0, updated_at: 0 },
    });
    await announceChange(platform, tenant);
    return id;
  };
  const client_id = await addClient();
  const post = async (path: string, body: BodyInit, headers: Record<string, string> = {}): Promise<Answer> =>
    answerOf(await harness.fetch(origin + path, { method: "POST", body, headers }));
  const form = (path: string, parameters: Readonly<Record<string, string | undefined>>): Promise<Answer> =>
    post(
      path,
      new URLSearchParams(Object.entries(parameters).filter((e): e is [string, string] => e[1] !== undefined)),
    );
  const request = async (more: Partial<AuthorizationRequest> = {}): Promise<AuthorizationRequest> => ({
    ...{ id: harness.ports.random.uuid(), client_id, redirect_uri: redirectUri, state: "s-1", scope: "mcp" },
    ...{ resource: `${origin}/mcp`, code_challenge: await sha256(verifier), prompt: undefined, max_age: undefined },
    ...{ requested_at: clock.now(), ...more },
  });

  return {
    ...{ clock, harness, admin, database, tenant, platform, user, session, client_id, up, down },
    ...{ visit, addClient, request, post },
    async consent(more, chosen = [up]) {
      const asked = await request(more);
      const here = await visit();
      const client = await findClient(here, asked.client_id);
      if (!client.ok) throw new Error(client.error.reason);
      const approved = await approve(here, session, asked, client.value, chosen, { remember: false });
      const location = approved.kind === "redirect" ? approved.location : `none:${approved.stop.reason}`;
      const code = new URL(location).searchParams.get("code");
      if (code === null) throw new Error(location);
      return code;
    },
    token: (parameters) => form("/oauth/token", parameters),
    redeem: (code, more = {}) =>
      form("/oauth/token", {
        ...{ grant_type: "authorization_code", code, client_id, redirect_uri: redirectUri, code_verifier: verifier },
        ...more,
      }),
    refresh: (refresh_token, more = {}) =>
      form("/oauth/token", {
        ...{ grant_type: "refresh_token", refresh_token: String(refresh_token), client_id },
        ...more,
      }),
    revoke: (token, more = {}) => form("/oauth/revoke", { token: String(token), client_id, ...more }),
    async call(token, path = "/mcp") {
      const name = path === "/mcp" ? "up__echo" : "echo";
      const init = modernPost("tools/call", { name, arguments: {} }, { token: String(token) });
      return answerOf(await harness.fetch(origin + path, init));
    },
  };
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: bodyOf(text) };
}

function platformOf(harness: Harness, bindings: Env): Platform {
  const configuration = parseConfiguration({ ...bindings, GATEHOUSE_MODE: "enterprise" });
  if (!configuration.ok) throw new Error(configuration.error);
  const audit = new Proxy(bindings.AUDIT, {
    get(queue, property) {
      if (property !== "send") return Reflect.get(queue, property) as unknown;
      return async (event: (typeof harness.events)[number]) => {
        harness.events.push(event);
        return queue.send(event);
      };
    },
  });
  return {
    ...{ configuration: configuration.value, ports: harness.ports, bindings: { ...bindings, AUDIT: audit } },
    waitUntil: () => undefined,
    log: () => undefined,
  };
}

async function addPerson(
  database: Database,
  tenant: string,
  now: number,
): Promise<{ user: User; session: WebSession }> {
  const provider_id = crypto.randomUUID();
  await database.insert(identity_providers).values({
    ...{ tenant_id: tenant, id: provider_id, kind: "generic", name: "IdP", issuer: "https://idp.test" },
    ...{ client_id: "gatehouse", credential: null, token_endpoint_origin: null, enabled: true },
    options: JSON.stringify({ roles: { member: { everyone: true } } }),
    ...{ revision: 1, created_at: now, updated_at: now },
  });
  const user: User = {
    ...{ id: crypto.randomUUID(), provider_id, issuer: "https://idp.test", subject: "alice" },
    ...{ email: "alice@a.test", email_verified: true, name: "Alice", role: "member", groups: ["staff", "other"] },
    ...{ enabled: true, created_at: now, last_sign_in_at: now, updated_at: now },
  };
  await database.insert(users).values({ ...user, tenant_id: tenant, groups: JSON.stringify(user.groups) });
  const session: WebSession = {
    ...{ hash: "h", user, provider_id, authenticated_at: now, created_at: now, expires_at: now + 3_600_000 },
    source: { country: "CH", network: "203.0.113.0/24" },
  };
  return { user, session };
}

/** Events of what people and clients did, as action, outcome and reason. */
export const authEvents = (harness: Harness): (readonly [string, string, string | undefined])[] =>
  harness.events.flatMap((event) =>
    event.type === "auth.activity" ? [[event.action, event.outcome, event.reason] as const] : [],
  );
