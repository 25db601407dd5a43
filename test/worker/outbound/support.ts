/** A tenant with servers and people, for what is added to requests: real D1, vault and Durable Objects, and token endpoints that a test scripts. */
import { env } from "cloudflare:workers";
import {
  connectionStore,
  createVault,
  serverCredentialBinding,
  serverHeaderSecretsBinding,
} from "../../../src/vault/index.ts";
import {
  fitOf,
  fitOfCredential,
  sealStoredCredential,
  storedCredentialsRepository,
} from "../../../src/connections/index.ts";
import { openDatabase, users } from "../../../src/db/index.ts";
import { createSafeFetch } from "../../../src/egress/index.ts";
import { parseConfiguration } from "../../../src/env.ts";
import {
  authenticationFor,
  type Authentication,
  type Caller,
  type OutboundContext,
} from "../../../src/outbound/index.ts";
import type { Ports, Result } from "../../../src/ports.ts";
import {
  agentAuthenticationSchema,
  authenticationSchema,
  headerSecretsSchema,
  inboundHeadersSchema,
  outboundHeadersSchema,
  serversRepository,
  textOfCredential,
  textOfHeaderSecrets,
  type Credential,
  type Server,
} from "../../../src/registry/index.ts";
import type { Failure } from "../../../src/errors.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { announceChange, currentSnapshot } from "../../../src/tenant/index.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";

export const origin = "https://a.gw.test";
export const serverUrl = "https://up.test/mcp?team=7";

export interface TokenRequest {
  readonly url: string;
  readonly authorization: string | null;
  readonly form: Readonly<Record<string, string>>;
}

export interface ServerSetting {
  readonly url?: string;
  readonly authentication?: object;
  readonly credential?: Credential;
  readonly outbound_headers?: readonly object[];
  readonly header_secrets?: Readonly<Record<string, object>>;
  readonly agent_authentication?: object;
  readonly inbound_headers?: object;
}

/** A person of the tenant. */
export interface Person {
  readonly id: string;
  readonly email?: string;
}

export type World = Awaited<ReturnType<typeof createWorld>>;

let slugs = 0;

export async function createWorld() {
  const tenant = `out-${crypto.randomUUID().slice(0, 8)}`;
  const clock = new VirtualClock(Date.now());
  const requests: TokenRequest[] = [];
  const sent: string[] = [];
  const logged: string[] = [];
  const events: unknown[] = [];
  const endpoints = new Map<string, (request: TokenRequest) => Response>();
  const behind: Promise<unknown>[] = [];
  const ports: Ports = {
    ...systemPorts,
    clock,
    async network(request) {
      sent.push(request.url);
      const form = Object.fromEntries(new URLSearchParams(await request.text()));
      const asked = { url: request.url, authorization: request.headers.get("authorization"), form };
      requests.push(asked);
      const answer = endpoints.get(request.url);
      if (answer === undefined) throw new TypeError("connection refused");
      return answer(asked);
    },
  };
  const bindings = { ...env, GATEHOUSE_TENANTS: `${tenant}=a.gw.test` } as Env;
  const configuration = parseConfiguration(bindings);
  if (!configuration.ok) throw new Error(configuration.error);
  const key = crypto.getRandomValues(new Uint8Array(32)).toBase64({ alphabet: "base64url", omitPadding: true });
  const made = await createVault(`test:${key}`, ports);
  if (!made.ok) throw new Error(made.error);
  const vault = made.value;
  const platform: OutboundContext["platform"] = {
    configuration: configuration.value,
    ports,
    bindings,
    waitUntil: (promise) => void behind.push(promise),
    log: (level, message, fields) => void logged.push(JSON.stringify([level, message, fields])),
  };
  const database = openDatabase(env.DB);
  const base = { platform, tenant: { id: tenant, origin }, vault };

  const snapshot = async (): Promise<OutboundContext["snapshot"]> => {
    await announceChange(platform, tenant);
    const current = await currentSnapshot(platform, tenant, 0);
    if (!current.ok) throw new Error("no snapshot");
    return current.value;
  };

  async function context(caller: Partial<Caller> = {}): Promise<OutboundContext> {
    return {
      ...base,
      snapshot: await snapshot(),
      fetch: createSafeFetch(ports, { mode: "enterprise", origins: new Set() }),
      recorder: {
        record: async (event) => {
          events.push(event);
          return { ok: true, value: undefined };
        },
      },
      source: { network: "192.0.2.0/24" },
      caller: { agent: "the-agent", mayUseOrganisation: true, inbound: new Headers(), ...caller },
    };
  }

  return {
    ...{ tenant, clock, platform, vault, requests, sent, logged, events, context, behind },
    store: connectionStore(base),
    /** The token endpoint at this URL. */
    serve: (url: string, answer: (request: TokenRequest) => Response) => void endpoints.set(url, answer),
    async server(setting: ServerSetting = {}): Promise<Server> {
      slugs += 1;
      const id = systemPorts.random.uuid();
      const sealed = async (
        text: string | undefined,
        binding: typeof serverCredentialBinding,
      ): Promise<string | null> => (text === undefined ? null : vault.seal(binding(tenant, id, 1), text));
      const slug = `s${slugs}`;
      const secrets = setting.header_secrets && headerSecretsSchema.parse(setting.header_secrets);
      const place = {
        url: setting.url ?? serverUrl,
        authentication: authenticationSchema.parse(setting.authentication ?? { type: "none" }),
        outbound_headers: outboundHeadersSchema.parse(setting.outbound_headers ?? []),
      };
      const inserted = await serversRepository(database, tenant).insert({
        ...place,
        ...{ id, slug, name: slug, enabled: true, timeout_ms: 5_000, revision: 1, authentication_revision: 1 },
        credential: await sealed(
          setting.credential && textOfCredential(place, setting.credential),
          serverCredentialBinding,
        ),
        header_secrets: await sealed(secrets && textOfHeaderSecrets(place, secrets), serverHeaderSecretsBinding),
        agent_authentication: agentAuthenticationSchema.parse(setting.agent_authentication ?? { type: "any" }),
        inbound_headers: inboundHeadersSchema.parse(setting.inbound_headers ?? {}),
        access: { everyone: true, groups: [] },
        ...{ created_at: 1, updated_at: 1 },
      });
      if (inserted !== "inserted") throw new Error(inserted);
      const server = (await snapshot()).servers.get(slug);
      if (server === undefined) throw new Error("no server");
      return server;
    },
    async person(email?: string): Promise<Person> {
      const id = systemPorts.random.uuid();
      await database.insert(users).values({
        ...{ tenant_id: tenant, id, provider_id: "p", issuer: "https://idp.test", subject: id, email: email ?? null },
        ...{ email_verified: true, name: null, role: "member", groups: "[]", enabled: true },
        ...{ created_at: 1, last_sign_in_at: 1, updated_at: 1 },
      });
      return { id, ...(email === undefined ? {} : { email }) };
    },
    /** What a person pasted for a server. */
    async paste(person: Person, server: Server, value: string, more: { username?: string; account?: string } = {}) {
      const { account = "default", ...secret } = more;
      const stored = await connectionStore(base).put(
        { user_id: person.id, target: server.id, account },
        { ...unissued, credential: { kind: "secret", value, ...secret }, fit: fitOf(server) },
      );
      if (stored !== "stored") throw new Error(stored);
    },
    /** A person's own value of a credential that is kept by name, for the servers that use it by then. */
    async give(person: Person, credential_id: string, value: string) {
      const uses = [...(await snapshot()).servers.values()].filter(({ outbound_headers }) =>
        outbound_headers.some((recipe) => "credential_id" in recipe && recipe.credential_id === credential_id),
      );
      const stored = await connectionStore(base).put(
        { user_id: person.id, target: `credential:${credential_id}`, account: "default" },
        { ...unissued, credential: { kind: "secret", value }, fit: fitOfCredential(uses) },
      );
      if (stored !== "stored") throw new Error(stored);
    },
    /** What linking brought: tokens of the authorization server at `https://as.test`. */
    async link(person: Person, target: Server | "idp", tokens: object, more: object = {}) {
      const stored = await connectionStore(base).put(
        { user_id: person.id, target: target === "idp" ? "idp" : target.id, account: "default" },
        {
          ...unissued,
          ...{ issuer: "https://as.test", token_endpoint: "https://as.test/token", client_id: "gatehouse" },
          credential: { kind: "tokens", access_token: "access-1", expires_at: null, ...tokens },
          fit: target === "idp" ? "" : fitOf(target),
          ...more,
        },
      );
      if (stored !== "stored") throw new Error(stored);
    },
    /** A credential that is kept by name. @returns its id */
    async keep(holder: "organisation" | "user", value?: string): Promise<string> {
      const id = systemPorts.random.uuid();
      const credential =
        value === undefined ? null : await sealStoredCredential(vault, tenant, { id, revision: 1 }, value);
      const inserted = await storedCredentialsRepository(database, tenant).insert({
        ...{ id, name: id, holder, hint: "", credential, revision: 1, created_at: 1, updated_at: 1 },
      });
      if (inserted !== "inserted") throw new Error(inserted);
      return id;
    },
    async add(server: Server, caller: Partial<Caller> = {}): Promise<Result<Authentication, Failure>> {
      const added = await authenticationFor(await context(caller), server);
      await Promise.all(behind);
      return added;
    },
    /** Headers and query that are added, by lower-case name. @throws when nothing can be added */
    async wire(server: Server, caller: Partial<Caller> = {}): Promise<Record<string, string>> {
      return onWire(await this.add(server, caller));
    },
    /** Why nothing can be added; nothing must have left for it. */
    async refusal(server: Server, caller: Partial<Caller> = {}): Promise<Failure> {
      return refusalOf(await this.add(server, caller));
    },
  };
}

const unissued = {
  ...{ issuer: "", token_endpoint: "", revocation_endpoint: null, client_id: "" },
  ...{ scope: null, asked_scope: null, step_ups: 0 },
};

export function onWire(added: Result<Authentication | undefined, Failure>): Record<string, string> {
  if (!added.ok) throw new Error(JSON.stringify(added.error));
  if (added.value === undefined) throw new Error("nothing else can be tried");
  const { headers, query } = added.value;
  return Object.fromEntries([
    ...headers.map(([name, value]) => [name.toLowerCase(), value] as const),
    ...query.map(([name, value]) => [`?${name}`, value] as const),
  ]);
}

export function refusalOf(added: Result<Authentication | undefined, Failure>): Failure {
  if (added.ok) throw new Error("it was added");
  return added.error;
}

/** An answer of a token endpoint. @see RFC 6749 section 5.1 */
export const tokenAnswer = (access_token: string, more: object = {}): Response =>
  Response.json({ access_token, token_type: "Bearer", expires_in: 3_600, ...more });
