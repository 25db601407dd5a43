/** A tenant with a record in every sealed column, and a database that dies when it is told to. */
import { env } from "cloudflare:workers";
import { decodeProtectedHeader } from "jose";
import {
  connections,
  identity_providers,
  openDatabase,
  servers,
  signing_keys,
  stored_credentials,
  upstream_clients,
} from "../../../src/db/index.ts";
import type { Platform } from "../../../src/platform.ts";
import { sealedColumns } from "../../../src/vault/sealed-columns.ts";
import {
  connectionBinding,
  providerCredentialBinding,
  serverCredentialBinding,
  serverHeaderSecretsBinding,
  signingKeyBinding,
  storedCredentialBinding,
  upstreamClientBinding,
  type Vault,
} from "../../../src/vault/index.ts";
import { start, testPorts, type TestPorts } from "./support.ts";

export const database = openDatabase(env.DB);

let made = 0;

/** A new tenant each time: tests of one file share the database. */
export function newTenant(): string {
  made += 1;
  return `rotation-${made}`;
}

export interface Logged {
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface World {
  readonly ports: TestPorts;
  readonly platform: Platform;
  readonly logged: Logged[];
}

/** @param binding in place of the real database */
export function world(binding: D1Database = env.DB): World {
  const ports = testPorts();
  const logged: Logged[] = [];
  const platform: Platform = {
    configuration: { mode: "enterprise", hosts: new Map(), keys: "", setupSecret: undefined, egressOrigins: new Set() },
    ports: { ...ports, network: () => Promise.reject(new Error("The vault calls nobody.")) },
    bindings: { ...env, DB: binding },
    waitUntil: () => undefined,
    log: (_level, message, fields) => logged.push({ message, fields }),
  };
  return { ports, platform, logged };
}

const times = { created_at: start, updated_at: start };

export async function addStored(vault: Vault, tenant: string, id: string, text = `text of ${id}`): Promise<void> {
  await database.insert(stored_credentials).values({
    ...{ tenant_id: tenant, id, name: id, holder: "organisation", hint: "", revision: 3, ...times },
    credential: await vault.seal(storedCredentialBinding(tenant, id, 3), text),
  });
}

/** One record in each sealed column, in the order of `sealedColumns`. */
export async function addAll(vault: Vault, tenant: string): Promise<void> {
  await database.insert(servers).values({
    ...{ tenant_id: tenant, id: "s1", slug: "s1", name: "s1", url: "https://mcp.example.com/", enabled: true },
    ...{ timeout_ms: 1000, authentication: '{"type":"bearer"}', revision: 2, ...times },
    credential: await vault.seal(serverCredentialBinding(tenant, "s1", 2), "text of a server"),
    header_secrets: await vault.seal(serverHeaderSecretsBinding(tenant, "s1", 2), "text of headers"),
  });
  await database.insert(identity_providers).values({
    ...{ tenant_id: tenant, id: "p1", kind: "generic", name: "p1", issuer: "https://id.example.com", client_id: "c" },
    ...{ options: "{}", enabled: true, revision: 4, ...times },
    credential: await vault.seal(providerCredentialBinding(tenant, "p1", 4), "text of a provider"),
  });
  const connection = { id: "n1", user_id: "u1", target: "s1", account: "default" };
  const party = { issuer: "https://as.example.com", token_endpoint: "https://as.example.com/token" };
  await database.insert(connections).values({
    ...{ tenant_id: tenant, ...connection, ...party, is_default: true, state: "linked", client_id: "c", fit: "" },
    ...{ step_ups: 0, revision: 7, tries: 0, ...times },
    credential: await vault.seal(connectionBinding(tenant, { ...connection, ...party }, 7), "text of a connection"),
  });
  await database.insert(upstream_clients).values({
    ...{ tenant_id: tenant, server_id: "s1", ...party, server_revision: 2, how: "dynamic", client_id: "c" },
    ...{ client_authentication: "client_secret_basic", redirect_uri: "https://a.gw.test/connect/callback" },
    ...{ revision: 1, ...times },
    credential: await vault.seal(upstreamClientBinding(tenant, { server_id: "s1", ...party }, 1), "text of a client"),
  });
  await addStored(vault, tenant, "c1");
  await database.insert(signing_keys).values({
    ...{ tenant_id: tenant, kid: "sig1", public_key: "{}", created_at: start },
    ...{ active_at: start, retired_at: start + 1, expires_at: start + 2 },
    private_key: await vault.seal(signingKeyBinding(tenant, "sig1"), "text of a signing key"),
  });
}

export interface Found {
  readonly place: string;
  readonly kid: unknown;
  /** Undefined: it does not open. */
  readonly text: string | undefined;
}

/** Everything sealed of the tenant, as a vault finds it. */
export async function recordsOf(vault: Vault, tenant: string): Promise<readonly Found[]> {
  const found: Found[] = [];
  for (const column of sealedColumns) {
    for (const { binding, sealed } of await column.read(database, tenant, undefined, 10_000)) {
      const opened = await vault.open(binding, sealed);
      const kid = decodeProtectedHeader(JSON.parse(sealed))["kid"];
      found.push({ place: `${column.table}.${column.column}`, kid, text: opened.ok ? opened.value : undefined });
    }
  }
  return found;
}

/**
 * The database, whose every use is announced to `hook` with its number, from 0 on. A hook that throws `before` or `after` is a process
 * that ends there.
 */
export function hookedDatabase(
  hook: (use: number, moment: "before" | "after", kind: "statement" | "batch") => Promise<void> | void,
): D1Database {
  let uses = 0;
  async function use<T>(kind: "statement" | "batch", execute: () => Promise<T>): Promise<T> {
    const number = uses;
    uses += 1;
    await hook(number, "before", kind);
    const result = await execute();
    await hook(number, "after", kind);
    return result;
  }
  /** The same object, since D1 takes no other into a batch. */
  function hooked(statement: D1PreparedStatement): D1PreparedStatement {
    const bind = statement.bind.bind(statement);
    const replaced: Record<string, unknown> = { bind: (...values: unknown[]) => hooked(bind(...values)) };
    for (const name of ["all", "run", "raw", "first"] as const) {
      const member = statement[name].bind(statement) as (...parameters: unknown[]) => Promise<unknown>;
      replaced[name] = (...parameters: unknown[]) => use("statement", () => member(...parameters));
    }
    return Object.assign(statement, replaced);
  }
  return new Proxy(env.DB, {
    get(target, property) {
      if (property === "prepare") return (text: string) => hooked(target.prepare(text));
      if (property === "batch") return (all: D1PreparedStatement[]) => use("batch", () => target.batch(all));
      const member: unknown = Reflect.get(target, property);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
}
