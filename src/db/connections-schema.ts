/** The part of the configuration database that is about credentials for other systems: whose they are, and how they are had. */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/**
 * A credential of one person, or of the organisation, at another system. What a call may use is decided together with the
 * `Connection` object of the same person, target and account, which knows the newest revision.
 */
export const connections = sqliteTable(
  "connections",
  {
    tenant_id: text("tenant_id").notNull(),
    /** New with each link, so that what was fetched with one account is never taken for another's. */
    id: text("id").notNull(),
    /** Empty: the organisation. */
    user_id: text("user_id").notNull(),
    /** Id of a server, `credential:{id}` for a stored credential that each person has their own of, or `idp`. */
    target: text("target").notNull(),
    /** The person's own name of it: `default`, or what they chose. `service` and `header:{name}` for tokens that nobody links. */
    account: text("account").notNull(),
    /** Which of several accounts at one target calls use. */
    is_default: integer("is_default", { mode: "boolean" }).notNull(),
    /** `ending`: it is used no more, and goes when the provider has revoked it, or after some tries. */
    state: text("state", { enum: ["linked", "needs_reauth", "ending"] }).notNull(),
    /** Why it is not `linked`, or what is wrong with it although calls use it: stable. */
    reason: text("reason"),
    /** JWE, bound to this row, its issuer and its token endpoint. */
    credential: text("credential").notNull(),
    /** Empty where nobody issued it: a key that somebody pasted. */
    issuer: text("issuer").notNull(),
    /** Where it is refreshed, and the only place that its refresh token may go. Empty for a pasted key. */
    token_endpoint: text("token_endpoint").notNull(),
    revocation_endpoint: text("revocation_endpoint"),
    /** Our client id at the issuer when it was made. */
    client_id: text("client_id").notNull(),
    /** As granted; null when the issuer did not say. */
    scope: text("scope"),
    /** As asked for. */
    asked_scope: text("asked_scope"),
    /** What of the server's settings it was made for, see `connections/fit.ts`. */
    fit: text("fit").notNull(),
    /** How often the server asked for more scope since the person linked it by themselves. */
    step_ups: integer("step_ups").notNull(),
    /** Counts up over all links of the same person, target and account; part of the binding. */
    revision: integer("revision").notNull(),
    /** Of revoking it at the provider. */
    tries: integer("tries").notNull(),
    next_try_at: integer("next_try_at"),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.id] }),
    uniqueIndex("connections_account")
      .on(table.tenant_id, table.user_id, table.target, table.account)
      .where(sql`state <> 'ending'`),
    index("connections_target").on(table.tenant_id, table.target),
    index("connections_ending").on(table.tenant_id, table.state, table.next_try_at),
  ],
);

/** Gatehouse as a client of an upstream's authorization server: who we are there, and where its endpoints were first seen. */
export const upstream_clients = sqliteTable(
  "upstream_clients",
  {
    tenant_id: text("tenant_id").notNull(),
    server_id: text("server_id").notNull(),
    /** Nothing of one issuer is ever sent to another (SEP-2352). */
    issuer: text("issuer").notNull(),
    /**
     * `authentication_revision` of the server's row that this was found for: an administrator who saves that anew lets go of the pins.
     * 0: a registration that its authorization server refused, so that the next link registers anew.
     */
    server_revision: integer("server_revision").notNull(),
    authorization_endpoint: text("authorization_endpoint"),
    token_endpoint: text("token_endpoint").notNull(),
    how: text("how", { enum: ["configured", "document", "dynamic"] }).notNull(),
    client_id: text("client_id").notNull(),
    client_authentication: text("client_authentication").notNull(),
    /** JWE of `{client_secret}` of a dynamic registration, bound to this row; null without one. */
    credential: text("credential"),
    redirect_uri: text("redirect_uri").notNull(),
    /** Of the registration; null: for ever. */
    expires_at: integer("expires_at"),
    revision: integer("revision").notNull(),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant_id, table.server_id, table.issuer] })],
);

/** A way to link that somebody went: from the redirect to the provider until they are back. */
export const link_attempts = sqliteTable(
  "link_attempts",
  {
    tenant_id: text("tenant_id").notNull(),
    /** SHA-256 of `state`, base64url. */
    state_hash: text("state_hash").notNull(),
    /** Of the link that they followed: it can be used once, however often it was begun. */
    link_id: text("link_id").notNull(),
    user_id: text("user_id").notNull(),
    server_id: text("server_id").notNull(),
    /** JWE of what the way back needs, bound to this row: verifier, endpoints, account. */
    pending: text("pending").notNull(),
    created_at: integer("created_at").notNull(),
    expires_at: integer("expires_at").notNull(),
    used_at: integer("used_at"),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.state_hash] }),
    index("link_attempts_link").on(table.tenant_id, table.link_id),
    index("link_attempts_user").on(table.tenant_id, table.user_id),
    index("link_attempts_expiry").on(table.expires_at),
  ],
);

/** A credential that an administrator keeps by name, for headers of any server. */
export const stored_credentials = sqliteTable(
  "stored_credentials",
  {
    tenant_id: text("tenant_id").notNull(),
    id: text("id").notNull(),
    name: text("name").notNull(),
    /** `user`: each person gives their own, which is a connection. */
    holder: text("holder", { enum: ["organisation", "user"] }).notNull(),
    /** Shown to people who are asked for theirs. */
    hint: text("hint").notNull(),
    /** JWE of `{value}`, bound to this row; null where each person has their own. */
    credential: text("credential"),
    revision: integer("revision").notNull(),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.id] }),
    uniqueIndex("stored_credentials_name").on(table.tenant_id, table.name),
  ],
);

/** How far the secrets of a tenant are sealed anew under the current key-encryption key. */
export const vault_rotations = sqliteTable("vault_rotations", {
  tenant_id: text("tenant_id").primaryKey(),
  /** The key that everything is to be under. */
  kid: text("kid").notNull(),
  /** Which of the sealed columns is being walked, and behind which row. */
  stage: integer("stage").notNull(),
  after: text("after").notNull(),
  seen_count: integer("seen_count").notNull(),
  rewrapped_count: integer("rewrapped_count").notNull(),
  /** What did not open: it is left as it is, and named in the log. */
  failed_count: integer("failed_count").notNull(),
  started_at: integer("started_at").notNull(),
  updated_at: integer("updated_at").notNull(),
  finished_at: integer("finished_at"),
});
