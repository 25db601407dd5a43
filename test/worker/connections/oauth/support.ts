/** A tenant whose servers have authorization servers that a test scripts: real D1 and Durable Objects, the network as the one port. */
import { env } from "cloudflare:workers";
import type { AuditEvent } from "../../../../src/audit/index.ts";
import type { Base } from "../../../../src/connections/types.ts";
import { openDatabase, upstream_clients } from "../../../../src/db/index.ts";
import { createSafeFetch } from "../../../../src/egress/index.ts";
import { parseConfiguration } from "../../../../src/env.ts";
import { ok, type JsonObject, type Ports, type Result } from "../../../../src/ports.ts";
import {
  agentAuthenticationSchema,
  authenticationSchema,
  inboundHeadersSchema,
  textOfCredential,
  type Credential,
  type Server,
} from "../../../../src/registry/index.ts";
import { systemPorts } from "../../../../src/system-ports.ts";
import { currentSnapshot } from "../../../../src/tenant/index.ts";
import { createVault, serverCredentialBinding, type Vault } from "../../../../src/vault/index.ts";
import { eq } from "drizzle-orm";

/** A request as it left. */
export interface Sent {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly text: string;
  readonly form: URLSearchParams;
}

type Answer = (sent: Sent) => Response | Promise<Response>;

export interface World {
  readonly base: Base;
  readonly vault: Vault;
  readonly sent: Sent[];
  readonly events: AuditEvent[];
  /** Lines of the log, as text. */
  readonly logged: string[];
  serve(origin: string, answer: Answer): void;
  advance(duration_ms: number): void;
  now(): number;
  /** Requests of the Worker without the question to the MCP server itself. */
  to(origin: string): Sent[];
  rows(): Promise<(typeof upstream_clients.$inferSelect)[]>;
}

export interface Setting {
  readonly mode?: "development" | "enterprise";
  readonly origin?: string;
}

export async function createWorld({ mode = "enterprise", origin = "https://a.gw.test" }: Setting = {}): Promise<World> {
  const tenant = { id: `up-${crypto.randomUUID().slice(0, 8)}`, origin };
  const hosts = new Map<string, Answer>();
  const sent: Sent[] = [];
  const events: AuditEvent[] = [];
  const logged: string[] = [];
  let offset_ms = 0;
  const ports: Ports = {
    ...systemPorts,
    clock: { now: () => systemPorts.clock.now() + offset_ms, sleep: systemPorts.clock.sleep },
    async network(request) {
      const text = new TextDecoder().decode(await request.arrayBuffer());
      const entry = {
        method: request.method,
        url: request.url,
        headers: request.headers,
        text,
        form: new URLSearchParams(text),
      };
      sent.push(entry);
      const answer = hosts.get(new URL(request.url).origin);
      if (answer === undefined) throw new TypeError("connection refused");
      return answer(entry);
    },
  };
  const configuration = parseConfiguration({
    ...env,
    GATEHOUSE_MODE: mode,
    GATEHOUSE_TENANTS: `${tenant.id}=localhost`,
  });
  if (!configuration.ok) throw new Error(configuration.error);
  const keys = crypto.getRandomValues(new Uint8Array(32)).toBase64({ alphabet: "base64url", omitPadding: true });
  const vault = await createVault(`test:${keys}`, ports);
  if (!vault.ok) throw new Error(vault.error);
  const platform: Base["platform"] = {
    configuration: configuration.value,
    ports,
    bindings: env,
    waitUntil: () => undefined,
    log: (level, message, fields) => void logged.push(JSON.stringify([level, message, fields])),
  };
  const snapshot = await currentSnapshot(platform, tenant.id, 0);
  if (!snapshot.ok) throw new Error("no snapshot");
  const base: Base = {
    ...{ platform, tenant, snapshot: snapshot.value, vault: vault.value },
    fetch: createSafeFetch(ports, { mode, origins: new Set() }),
    recorder: {
      record: async (event): Promise<Result<void, never>> => {
        events.push(event);
        return ok(undefined);
      },
    },
    source: { network: "192.0.2.0/24" },
  };
  return {
    ...{ base, vault: vault.value, sent, events, logged },
    serve: (at, answer) => void hosts.set(at, answer),
    advance: (duration_ms) => void (offset_ms += duration_ms),
    now: () => ports.clock.now(),
    to: (at) => sent.filter(({ url }) => new URL(url).origin === at),
    rows: () => openDatabase(env.DB).select().from(upstream_clients).where(eq(upstream_clients.tenant_id, tenant.id)),
  };
}

export interface ServerSetting {
  readonly url?: string;
  readonly id?: string;
  readonly revision?: number;
  readonly credential?: Credential;
}

/** A server as the registry gives it. */
export async function serverOf(
  { base }: World,
  authentication: JsonObject,
  { url = "https://mcp.up.test/mcp", id = "server-1", revision = 1, credential }: ServerSetting = {},
): Promise<Server> {
  const place = { url, authentication: authenticationSchema.parse(authentication) };
  const sealed =
    credential === undefined
      ? null
      : await base.vault.seal(
          serverCredentialBinding(base.tenant.id, id, revision),
          textOfCredential(place, credential),
        );
  return {
    ...{
      id,
      url,
      revision,
      authentication_revision: revision,
      slug: "up",
      name: "Upstream",
      enabled: true,
      timeout_ms: 60_000,
      credential: sealed,
    },
    authentication: place.authentication,
    ...{ outbound_headers: [], header_secrets: null },
    agent_authentication: agentAuthenticationSchema.parse({ type: "any" }),
    inbound_headers: inboundHeadersSchema.parse({}),
    access: { everyone: true, groups: [] },
  };
}

/** An authorization server in the test: right in everything, until a test takes a part of it away. */
export class FakeServer {
  readonly issuer: string;
  readonly origin: string;
  /** Path of its metadata. */
  metadataPath: string;
  /** Members of its metadata that a test changes; undefined removes one. */
  metadata: Record<string, unknown> = {};
  registered: Record<string, unknown> | Response = { client_id: "dcr-1", client_secret: "dcr-secret-1" };
  /** In place of the answer of the token endpoint. */
  answer: (sent: Sent) => Response = () =>
    Response.json({ access_token: "at-1", token_type: "Bearer", expires_in: 3600, refresh_token: "rt-1" });
  readonly registrations: JsonObject[] = [];
  readonly tokenRequests: Sent[] = [];
  readonly revocations: Sent[] = [];

  constructor(issuer: string) {
    this.issuer = issuer;
    const { origin, pathname } = new URL(issuer);
    this.origin = origin;
    const path = pathname.replace(/\/$/, "");
    this.metadataPath = `/.well-known/oauth-authorization-server${path}`;
  }

  get document(): JsonObject {
    const at = this.issuer.replace(/\/$/, "");
    const document = {
      issuer: this.issuer,
      authorization_endpoint: `${at}/authorize`,
      token_endpoint: `${at}/token`,
      registration_endpoint: `${at}/register`,
      revocation_endpoint: `${at}/revoke`,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"],
      authorization_response_iss_parameter_supported: true,
      ...this.metadata,
    };
    return JSON.parse(JSON.stringify(document)) as JsonObject;
  }

  readonly handle = (sent: Sent): Response => {
    const { pathname } = new URL(sent.url);
    if (pathname === this.metadataPath) return Response.json(this.document);
    if (pathname.endsWith("/token")) {
      this.tokenRequests.push(sent);
      return this.answer(sent);
    }
    if (pathname.endsWith("/register")) {
      this.registrations.push(JSON.parse(sent.text) as JsonObject);
      const { registered } = this;
      return registered instanceof Response ? registered.clone() : Response.json(registered, { status: 201 });
    }
    if (pathname.endsWith("/revoke")) {
      this.revocations.push(sent);
      return new Response(null, { status: 200 });
    }
    return new Response("nothing", { status: 404 });
  };
}

export interface FakeResource {
  readonly authorization_servers?: readonly string[] | undefined;
  readonly scopes_supported?: readonly string[] | undefined;
  readonly resource?: string | undefined;
  readonly path?: string;
  readonly challenge?: string;
}

/** An MCP server that wants a token, and its metadata. */
export function resourceServer({
  path = "/.well-known/oauth-protected-resource/mcp",
  resource = "https://mcp.up.test/mcp",
  challenge,
  ...more
}: FakeResource): Answer {
  return ({ method, url }) => {
    if (method === "POST") {
      const headers = challenge === undefined ? undefined : { "www-authenticate": challenge };
      return new Response(null, { status: 401, ...(headers === undefined ? {} : { headers }) });
    }
    if (new URL(url).pathname !== path) return new Response("nothing", { status: 404 });
    return Response.json({ resource, ...more });
  };
}

/** The usual world: a server at `https://mcp.up.test/mcp`, its authorization server at `https://as.test`. */
export async function createUsual(setting?: Setting): Promise<World & { readonly provider: FakeServer }> {
  const world = await createWorld(setting);
  const provider = new FakeServer("https://as.test");
  world.serve(provider.origin, provider.handle);
  world.serve("https://mcp.up.test", resourceServer({ authorization_servers: [provider.issuer] }));
  return { ...world, provider };
}

export function valueOf<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(`not ok: ${JSON.stringify(result.error)}`);
  return result.value;
}

export function errorOf<E>(result: Result<unknown, E>): E {
  if (result.ok) throw new Error("it is ok");
  return result.error;
}
