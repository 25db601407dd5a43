/**
 * The configuration database. `schema.sql` and `migrations/` are generated from this file and the one that it exports (`npm run generate`).
 * The tenant leads every key. Times are milliseconds since the Unix epoch; JSON columns are parsed with zod on read.
 */
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** One row for each tenant that an administrator has initialised. Which hostname is which tenant is deployment configuration. */
export const tenants = sqliteTable("tenants", {
  id: text("id").primaryKey(),
  initialised_at: integer("initialised_at").notNull(),
  /** JSON, see `tenant/settings.ts`. */
  settings: text("settings").notNull(),
  updated_at: integer("updated_at").notNull(),
});

/** An upstream MCP server. */
export const servers = sqliteTable(
  "servers",
  {
    tenant_id: text("tenant_id").notNull(),
    id: text("id").notNull(),
    /** The part of `/mcp/{slug}` and of `{slug}__{tool}`; never changes. */
    slug: text("slug").notNull(),
    name: text("name").notNull(),
    url: text("url").notNull(),
    enabled: integer("enabled", { mode: "boolean" }).notNull(),
    /** Silence after which a call to it is given up, in milliseconds. */
    timeout_ms: integer("timeout_ms").notNull(),
    /** JSON without secrets, see `registry/authentication.ts`. */
    authentication: text("authentication").notNull(),
    /** The secrets of `authentication` as one JWE, bound to this row. */
    credential: text("credential"),
    /** JSON without secrets, see `registry/outbound-headers.ts`. */
    outbound_headers: text("outbound_headers").notNull().default("[]"),
    /** The secrets of `outbound_headers` as one JWE, bound to this row. */
    header_secrets: text("header_secrets"),
    /** JSON, see `registry/agent-authentication.ts`. */
    agent_authentication: text("agent_authentication").notNull().default('{"type":"any"}'),
    /** JSON, see `registry/inbound-headers.ts`. */
    inbound_headers: text("inbound_headers").notNull().default('{"forward":null,"restrict":[]}'),
    /** Counts up with every change of url, authentication, headers or their secrets; part of the binding of both. */
    revision: integer("revision").notNull(),
    /** Counts up when an administrator gives `authentication` or `credential`, or another address: what was pinned before is let go of. */
    authentication_revision: integer("authentication_revision").notNull().default(1),
    /** JSON: which people may reach it, see `policy/access.ts`. */
    access: text("access").notNull().default('{"everyone":false,"groups":[]}'),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.id] }),
    uniqueIndex("servers_slug").on(table.tenant_id, table.slug),
  ],
);

/** A client that an administrator registered: a machine identity with tokens, an OAuth client, or both. */
export const clients = sqliteTable(
  "clients",
  {
    tenant_id: text("tenant_id").notNull(),
    id: text("id").notNull(),
    name: text("name").notNull(),
    description: text("description").notNull(),
    enabled: integer("enabled", { mode: "boolean" }).notNull(),
    /** JSON array of server ids: the allow-list. What is not on it does not exist for this client. */
    servers: text("servers").notNull(),
    /** JSON, see `oauth/clients/registration.ts`: how it may get tokens of OAuth. Null: it may not. */
    oauth: text("oauth"),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant_id, table.id] })],
);

/**
 * A bearer token of a client (for `/mcp`) or of an administrator (for `/api`), or the secret with which a client authenticates at
 * the token endpoint. Only its SHA-256 is kept.
 */
export const tokens = sqliteTable(
  "tokens",
  {
    tenant_id: text("tenant_id").notNull(),
    id: text("id").notNull(),
    kind: text("kind", { enum: ["client", "administrator", "secret"] }).notNull(),
    /** Set for the kinds `client` and `secret`. */
    client_id: text("client_id"),
    name: text("name").notNull(),
    /** SHA-256 of the token, base64url. */
    hash: text("hash").notNull(),
    created_at: integer("created_at").notNull(),
    expires_at: integer("expires_at").notNull(),
    revoked_at: integer("revoked_at"),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.id] }),
    uniqueIndex("tokens_hash").on(table.hash),
    index("tokens_client").on(table.tenant_id, table.client_id),
  ],
);

/** The first answer to each `Idempotency-Key`, replayed for a day. */
export const idempotency_keys = sqliteTable(
  "idempotency_keys",
  {
    tenant_id: text("tenant_id").notNull(),
    /** Who used the key: a token id, so that two callers never meet. */
    principal: text("principal").notNull(),
    key: text("key").notNull(),
    /** SHA-256 over method, path and body, base64url: another request under the same key is refused. */
    request_hash: text("request_hash").notNull(),
    /** Null while the first request is under way. */
    status: integer("status"),
    /** The answer's body as one JWE, since it may hold a token that is shown once. */
    response: text("response"),
    created_at: integer("created_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.principal, table.key] }),
    index("idempotency_keys_created").on(table.created_at),
  ],
);

export * from "./connections-schema.ts";
export * from "./people-schema.ts";
