/** The part of the configuration database that is about people: how they sign in, what they allow, and what came of it. */
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** An OpenID provider at which people of the tenant sign in. */
export const identity_providers = sqliteTable(
  "identity_providers",
  {
    tenant_id: text("tenant_id").notNull(),
    id: text("id").notNull(),
    kind: text("kind", { enum: ["okta", "entra", "google", "generic"] }).notNull(),
    name: text("name").notNull(),
    /** Exactly as in the provider's discovery document and ID tokens. */
    issuer: text("issuer").notNull(),
    client_id: text("client_id").notNull(),
    /** JWE of `{client_secret}`, bound to this row; null for a public client. */
    credential: text("credential"),
    /** JSON, see `login/providers.ts`: scopes, groups claim, role rules, what else it is trusted for. */
    options: text("options").notNull(),
    /** Origin of the token endpoint as first seen: the client secret goes to no other. Null until then. */
    token_endpoint_origin: text("token_endpoint_origin"),
    enabled: integer("enabled", { mode: "boolean" }).notNull(),
    /** Counts up with every change of issuer, client or credential; part of the binding of `credential`. */
    revision: integer("revision").notNull(),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.id] }),
    uniqueIndex("identity_providers_issuer").on(table.tenant_id, table.issuer),
  ],
);

/** A person, known since the first sign-in. Identity is (tenant, issuer, subject) and never an e-mail address. */
export const users = sqliteTable(
  "users",
  {
    tenant_id: text("tenant_id").notNull(),
    id: text("id").notNull(),
    provider_id: text("provider_id").notNull(),
    issuer: text("issuer").notNull(),
    subject: text("subject").notNull(),
    email: text("email"),
    email_verified: integer("email_verified", { mode: "boolean" }).notNull(),
    name: text("name"),
    /** From the provider's role rules, at each sign-in. */
    role: text("role", { enum: ["administrator", "auditor", "member"] }).notNull(),
    /** JSON array: groups of the provider, as it names them. */
    groups: text("groups").notNull(),
    enabled: integer("enabled", { mode: "boolean" }).notNull(),
    created_at: integer("created_at").notNull(),
    last_sign_in_at: integer("last_sign_in_at").notNull(),
    updated_at: integer("updated_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.id] }),
    uniqueIndex("users_identity").on(table.tenant_id, table.issuer, table.subject),
  ],
);

/** A browser in which somebody is signed in. Only the SHA-256 of its cookie is kept. */
export const web_sessions = sqliteTable(
  "web_sessions",
  {
    tenant_id: text("tenant_id").notNull(),
    hash: text("hash").notNull(),
    user_id: text("user_id").notNull(),
    provider_id: text("provider_id").notNull(),
    /** `sid` of the ID token, for back-channel logout. */
    provider_session: text("provider_session"),
    /** When the provider says that the person really signed in. */
    authenticated_at: integer("authenticated_at").notNull(),
    /** Country and network at sign-in, for clients that call from a vendor's cloud. JSON. */
    source: text("source").notNull(),
    created_at: integer("created_at").notNull(),
    last_seen_at: integer("last_seen_at").notNull(),
    expires_at: integer("expires_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.hash] }),
    index("web_sessions_user").on(table.tenant_id, table.user_id),
    index("web_sessions_expiry").on(table.expires_at),
  ],
);

/** A redirect URL that the tenant trusts; the forms are those of `oauth/redirects/trusted.ts`. */
export const redirect_uris = sqliteTable(
  "redirect_uris",
  {
    tenant_id: text("tenant_id").notNull(),
    id: text("id").notNull(),
    uri: text("uri").notNull(),
    note: text("note").notNull(),
    created_at: integer("created_at").notNull(),
    /** Who added it: the actor as events name it. */
    created_by: text("created_by").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.id] }),
    uniqueIndex("redirect_uris_uri").on(table.tenant_id, table.uri),
  ],
);

/** A redirect URL that was asked for and is not trusted. The newest few are kept for the administrator. */
export const blocked_redirects = sqliteTable(
  "blocked_redirects",
  {
    tenant_id: text("tenant_id").notNull(),
    client_id: text("client_id").notNull(),
    redirect_uri: text("redirect_uri").notNull(),
    client_name: text("client_name").notNull(),
    attempts: integer("attempts").notNull(),
    first_at: integer("first_at").notNull(),
    last_at: integer("last_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant_id, table.client_id, table.redirect_uri] })],
);

/** A client that registered itself (RFC 7591). It goes when nobody used it for a while. */
export const dynamic_clients = sqliteTable(
  "dynamic_clients",
  {
    tenant_id: text("tenant_id").notNull(),
    id: text("id").notNull(),
    /** JSON, see `oauth/clients/dynamic.ts`. */
    metadata: text("metadata").notNull(),
    /** SHA-256 of its secret; null for a public client. */
    secret_hash: text("secret_hash"),
    created_at: integer("created_at").notNull(),
    expires_at: integer("expires_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.id] }),
    index("dynamic_clients_expiry").on(table.tenant_id, table.expires_at),
  ],
);

/** What a person allowed one installation of an AI client to do. The `Grant` object of the same id holds code and refresh state. */
export const grants = sqliteTable(
  "grants",
  {
    tenant_id: text("tenant_id").notNull(),
    id: text("id").notNull(),
    user_id: text("user_id").notNull(),
    client_id: text("client_id").notNull(),
    client_name: text("client_name").notNull(),
    redirect_uri: text("redirect_uri").notNull(),
    /** Resource (RFC 8707): URL of the MCP endpoint, the audience of its tokens. */
    resource: text("resource").notNull(),
    scope: text("scope").notNull(),
    /** JSON array of server ids that the person chose. */
    servers: text("servers").notNull(),
    /** Country and network at consent. JSON. */
    source: text("source").notNull(),
    created_at: integer("created_at").notNull(),
    /** Null while the code is not redeemed. */
    redeemed_at: integer("redeemed_at"),
    last_used_at: integer("last_used_at"),
    expires_at: integer("expires_at").notNull(),
    revoked_at: integer("revoked_at"),
    /** Stable: `user`, `administrator`, `code_replay`, `refresh_reuse`, `redirect_untrusted`, `client_disabled`, `provider_deleted` … */
    revoked_reason: text("revoked_reason"),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.id] }),
    index("grants_user").on(table.tenant_id, table.user_id),
    index("grants_client").on(table.tenant_id, table.client_id),
  ],
);

/** A consent that is remembered: the same question is not asked again. */
export const consents = sqliteTable(
  "consents",
  {
    tenant_id: text("tenant_id").notNull(),
    user_id: text("user_id").notNull(),
    client_id: text("client_id").notNull(),
    redirect_uri: text("redirect_uri").notNull(),
    resource: text("resource").notNull(),
    scope: text("scope").notNull(),
    /** JSON array of server ids that were offered: another list is another question. */
    offered: text("offered").notNull(),
    /** JSON array of server ids that were chosen. */
    servers: text("servers").notNull(),
    given_at: integer("given_at").notNull(),
    expires_at: integer("expires_at").notNull(),
  },
  (table) => [
    primaryKey({
      columns: [table.tenant_id, table.user_id, table.client_id, table.redirect_uri, table.resource, table.scope],
    }),
  ],
);

/**
 * Access tokens that end before their time: those of the subject that were issued up to `not_before`. A row lives as long as such a
 * token could, and every isolate holds the living rows in its snapshot.
 */
export const revocations = sqliteTable(
  "revocations",
  {
    tenant_id: text("tenant_id").notNull(),
    /** `holder`: whoever has the token, a person or a machine, at one client. */
    kind: text("kind", { enum: ["grant", "user", "client", "holder"] }).notNull(),
    subject: text("subject").notNull(),
    not_before: integer("not_before").notNull(),
    expires_at: integer("expires_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.kind, table.subject] }),
    index("revocations_expiry").on(table.tenant_id, table.expires_at),
  ],
);

/** A key that signs access tokens. */
export const signing_keys = sqliteTable(
  "signing_keys",
  {
    tenant_id: text("tenant_id").notNull(),
    kid: text("kid").notNull(),
    /** JWK, without its private part. */
    public_key: text("public_key").notNull(),
    /** JWE of the private JWK, bound to this row. */
    private_key: text("private_key").notNull(),
    created_at: integer("created_at").notNull(),
    /** Published from `created_at`, signs from here. */
    active_at: integer("active_at").notNull(),
    /** Signs no more; verifies until `expires_at`. */
    retired_at: integer("retired_at").notNull(),
    expires_at: integer("expires_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant_id, table.kid] })],
);

/** An id that may be used once, for instance `jti` of an assertion: who inserts the row has used it. */
export const used_ids = sqliteTable(
  "used_ids",
  {
    tenant_id: text("tenant_id").notNull(),
    purpose: text("purpose").notNull(),
    /** SHA-256 over issuer and id, base64url. */
    id_hash: text("id_hash").notNull(),
    expires_at: integer("expires_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.purpose, table.id_hash] }),
    index("used_ids_expiry").on(table.expires_at),
  ],
);

/** Counts what may happen so often in a window: failed client authentications, registrations. */
export const attempts = sqliteTable(
  "attempts",
  {
    tenant_id: text("tenant_id").notNull(),
    /** Purpose and a hash of who. */
    key: text("key").notNull(),
    attempts: integer("attempts").notNull(),
    expires_at: integer("expires_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant_id, table.key] }), index("attempts_expiry").on(table.expires_at)],
);

/** The inventory: every client that was ever seen, blocked ones included. */
export const agents = sqliteTable(
  "agents",
  {
    tenant_id: text("tenant_id").notNull(),
    /** The client id: a UUID, or the URL of a metadata document. */
    id: text("id").notNull(),
    kind: text("kind", { enum: ["registered", "document", "dynamic", "unknown"] }).notNull(),
    name: text("name").notNull(),
    /** Who first allowed it something: a user id. Null for machines. */
    owner_id: text("owner_id"),
    first_seen_at: integer("first_seen_at").notNull(),
    last_seen_at: integer("last_seen_at").notNull(),
    /** The last time that it was turned away, and the stable reason. */
    blocked_at: integer("blocked_at"),
    blocked_reason: text("blocked_reason"),
    /** An administrator switched it off: it gets no token. For registered clients `clients.enabled` says it. */
    disabled_at: integer("disabled_at"),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.id] }),
    index("agents_seen").on(table.tenant_id, table.last_seen_at),
  ],
);

/** What an agent used, summed up from the events: servers, and the tools, prompts and resources of each. */
export const agent_uses = sqliteTable(
  "agent_uses",
  {
    tenant_id: text("tenant_id").notNull(),
    agent_id: text("agent_id").notNull(),
    server: text("server").notNull(),
    /** Method and name, such as `tools/call create_issue`. */
    name: text("name").notNull(),
    calls: integer("calls").notNull(),
    denied: integer("denied").notNull(),
    last_at: integer("last_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant_id, table.agent_id, table.server, table.name] })],
);
