/**
 * Bearer tokens of clients and administrators, and the secrets of OAuth clients, in D1: minted, listed, rotated, revoked; only
 * their hash is ever stored.
 */
import { and, asc, count, eq, gt, isNull, lt, ne, or, sql, type SQL } from "drizzle-orm";
import { clients, rowWhere, tenants, tokens, type Database } from "../db/index.ts";
import { limits } from "../limits.ts";
import type { Random } from "../ports.ts";
import { sha256 } from "../sha256.ts";

/** `secret`: of an OAuth client (RFC 6749 section 2.3.1). It opens the token endpoint and nothing else. */
export type TokenKind = "client" | "administrator" | "secret";

/** The part of a token that may be shown. */
export interface StoredToken {
  readonly id: string;
  readonly name: string;
  readonly created_at: number;
  readonly expires_at: number;
  readonly revoked_at: number | null;
}

/** Whose tokens: those of one client, its secrets, or the administrators'. */
export type TokenOwner =
  | { readonly kind: "client" | "secret"; readonly client_id: string }
  | { readonly kind: "administrator"; readonly client_id: null };

export const administrators: TokenOwner = { kind: "administrator", client_id: null };

export interface MintedToken {
  /** Shown once, in the answer that mints it. */
  readonly token: string;
  readonly hash: string;
}

/** The prefix lets secret scanners find a leaked token and tells the kinds apart at a glance. */
const prefixes = { client: "ghc_", administrator: "gha_", secret: "ghs_" } as const satisfies Record<TokenKind, string>;

/** A token of 256 random bits: prefix and 43 characters of base64url. */
export async function mintToken(random: Random, kind: TokenKind): Promise<MintedToken> {
  const secret = random.bytes(limits.token_bytes).toBase64({ alphabet: "base64url", omitPadding: true });
  const token = prefixes[kind] + secret;
  return { token, hash: await sha256(token) };
}

export interface NewToken extends Pick<StoredToken, "id" | "name" | "created_at" | "expires_at"> {
  readonly hash: string;
}

const shown = {
  id: tokens.id,
  name: tokens.name,
  created_at: tokens.created_at,
  expires_at: tokens.expires_at,
  revoked_at: tokens.revoked_at,
};

export function isLive(token: StoredToken, now: number): boolean {
  return token.revoked_at === null && token.expires_at > now;
}

/** Every statement carries the tenant and the owner, since there is no method without them. */
export function tokensRepository(database: Database, tenant: string, owner: TokenOwner) {
  const ofTenant = eq(tokens.tenant_id, tenant);
  const mine = and(
    ofTenant,
    eq(tokens.kind, owner.kind),
    owner.client_id === null ? isNull(tokens.client_id) : eq(tokens.client_id, owner.client_id),
  );
  const one = (id: string) => and(mine, eq(tokens.id, id));
  const live = (now: number) => and(isNull(tokens.revoked_at), gt(tokens.expires_at, now));

  const row = (token: NewToken): typeof tokens.$inferInsert => ({
    ...token,
    tenant_id: tenant,
    kind: owner.kind,
    client_id: owner.client_id,
    revoked_at: null,
  });

  /** Under both limits, and the client is still there: in the insert itself, or parallel requests get past. */
  const room = (now: number, except?: string): SQL => {
    const counted = and(mine, live(now), except === undefined ? undefined : ne(tokens.id, except));
    const ownerExists =
      owner.client_id === null
        ? sql`1`
        : sql`exists (select 1 from ${clients} where ${clients.tenant_id} = ${tenant} and ${clients.id} = ${owner.client_id})`;
    return sql`${ownerExists}
      and (select count(*) from ${tokens} where ${counted}) < ${limits.tokensPerClient_count}
      and (select count(*) from ${tokens} where ${ofTenant}) < ${limits.tokensPerTenant_count}`;
  };

  /** Keeps the table bounded: what ended long ago is history of the audit log, not of this table. */
  const sweep = (now: number) => {
    const ended = now - limits.tokenHistory_ms;
    return database.delete(tokens).where(and(ofTenant, or(lt(tokens.revoked_at, ended), lt(tokens.expires_at, ended))));
  };

  return {
    /** Live and ended ones, in the order of creation. @param after the id that the page starts behind */
    page(after: string | undefined, size_count: number): Promise<StoredToken[]> {
      return database
        .select(shown)
        .from(tokens)
        .where(after === undefined ? mine : and(mine, gt(tokens.id, after)))
        .orderBy(asc(tokens.id))
        .limit(size_count);
    },

    async get(id: string): Promise<StoredToken | undefined> {
      const [found] = await database.select(shown).from(tokens).where(one(id));
      return found;
    },

    /** @returns false at `limits.tokensPerClient_count` live tokens, or when the client is gone */
    async insert(token: NewToken, now: number): Promise<boolean> {
      const [, inserted] = await database.batch([
        sweep(now),
        database
          .insert(tokens)
          .select(rowWhere(tokens, row(token), room(now)))
          .returning({ id: tokens.id }),
      ]);
      return inserted.length > 0;
    },

    /**
     * A new token beside the old one, which ends after the overlap, or at its own expiry where that comes first.
     * @returns the old token as it is now, or `undefined` when it is not live or there is no room
     */
    async rotate(old: string, token: NewToken, overlap_ms: number, now: number): Promise<StoredToken | undefined> {
      const oldIsLive = sql`exists (select 1 from ${tokens} where ${and(one(old), live(now))})`;
      const [, updated] = await database.batch([
        database.insert(tokens).select(rowWhere(tokens, row(token), sql`${oldIsLive} and ${room(now, old)}`)),
        database
          .update(tokens)
          .set({
            expires_at: sql`min(${tokens.expires_at}, ${now + overlap_ms})`,
            ...(overlap_ms === 0 ? { revoked_at: now } : {}),
          })
          .where(and(one(old), live(now), sql`exists (select 1 from ${tokens} where ${one(token.id)})`))
          .returning(shown),
      ]);
      return updated[0];
    },

    /**
     * Ends a token; one that is revoked already keeps its time. An administrator's token is revoked only while another one
     * is live, in one statement, or two parallel requests could lock everybody out.
     * @returns false when it is unknown or the last of the administrators
     */
    async revoke(id: string, now: number): Promise<boolean> {
      const another = and(mine, live(now), ne(tokens.id, id));
      const allowed =
        owner.kind !== "administrator" ? undefined : sql`exists (select 1 from ${tokens} where ${another})`;
      const revoked = await database
        .update(tokens)
        .set({ revoked_at: sql`coalesce(${tokens.revoked_at}, ${now})` })
        .where(and(one(id), allowed))
        .returning({ id: tokens.id });
      return revoked.length > 0;
    },

    async liveCount(now: number): Promise<number> {
      const [counted] = await database
        .select({ live: count() })
        .from(tokens)
        .where(and(mine, live(now)));
      return counted?.live ?? 0;
    },
  };
}

/**
 * Set-up: the tenant's row and its first administrator token, in one transaction. The token goes first and only where the
 * tenant is not initialised, so of any number of parallel requests one wins.
 * @param settings JSON of the tenant's first settings
 * @returns false when the tenant was initialised already
 */
export async function initialiseTenant(
  database: Database,
  tenant: string,
  token: NewToken,
  settings: string,
  now: number,
): Promise<boolean> {
  const row = { ...token, tenant_id: tenant, kind: "administrator" as const, client_id: null, revoked_at: null };
  const uninitialised = sql`not exists (select 1 from ${tenants} where ${tenants.id} = ${tenant} and ${tenants.initialised_at} > 0)`;
  const [inserted] = await database.batch([
    database
      .insert(tokens)
      .select(rowWhere(tokens, row, uninitialised))
      .returning({ id: tokens.id }),
    database
      .insert(tenants)
      .values({ id: tenant, initialised_at: now, settings, updated_at: now })
      .onConflictDoUpdate({
        target: tenants.id,
        set: { initialised_at: now },
        setWhere: eq(tenants.initialised_at, 0),
      }),
  ]);
  return inserted.length > 0;
}

/** Takes a set-up back whose token was never shown, so that it can be repeated. */
export async function undoInitialisation(database: Database, tenant: string, tokenId: string): Promise<void> {
  await database.batch([
    database.delete(tokens).where(and(eq(tokens.tenant_id, tenant), eq(tokens.id, tokenId))),
    database.update(tenants).set({ initialised_at: 0 }).where(eq(tenants.id, tenant)),
  ]);
}
