/** Ends grants before their time. D1 is the truth that a refresh asks; the revocation reaches every isolate within two seconds. */
import { and, eq, inArray, isNull, sql, type SQL } from "drizzle-orm";
import { consents, grants, openDatabase, users, type Database } from "../../db/index.ts";
import { limits } from "../../limits.ts";
import { authEvent, type Visit } from "../../login/index.ts";
import { announceRevocation, revokeTokens } from "../../tenant/index.ts";
import { coversRedirect, isTrustedRedirect, trustedRedirects } from "../redirects/index.ts";
import { livingGrant } from "./grant-rows.ts";
import { askGrant } from "./object-of.ts";
import { voidTokens, wholeSubject } from "./void-tokens.ts";

export type GrantSelection =
  | { readonly id: string }
  | { readonly user_id: string }
  | { readonly client_id: string }
  /** Of everybody whom an identity provider vouches for. */
  | { readonly provider_id: string }
  /** Entries of trusted redirect URLs that went: grants that used one of them, unless another entry still covers them. */
  | { readonly redirect_uris: readonly string[] };

interface Ended {
  readonly id: string;
  readonly user_id: string;
  readonly client_id: string;
  readonly client_name: string;
  readonly redirect_uri: string;
}

/**
 * What was revoked before stays as it is. The consents that led there are forgotten as well, so that the person is asked again.
 * @param reason stable: `user`, `administrator`, `client`, `code_replay`, `refresh_reuse`, `redirect_untrusted` …
 * @returns how many grants ended now
 * @throws when D1 fails; then it is not known which of them ended, and the caller says so
 */
export async function revokeGrants(visit: Visit, which: GrantSelection, reason: string): Promise<number> {
  return (await endGrants(visit, which, reason)).ended;
}

export interface Ending {
  /** How many grants ended now: those that had ended before change nothing. */
  readonly ended: number;
  /** Whether every isolate knows of it within `limits.snapshotFresh_ms`. */
  readonly isTold: boolean;
}

/** The same, for callers that answer only when it holds everywhere. */
export async function endGrants(visit: Visit, which: GrantSelection, reason: string): Promise<Ending> {
  const { platform, tenant } = visit;
  const { clock } = platform.ports;
  const database = openDatabase(platform.bindings.DB);
  const revoked_at = clock.now();
  const ended: Ended[] = [];
  for (const condition of await conditionsOf(visit, database, which)) {
    const these = and(eq(grants.tenant_id, tenant.id), condition);
    const justEnded = and(these, eq(grants.revoked_at, revoked_at));
    const [rows]: [Ended[], ...unknown[]] = await database.batch([
      database
        .update(grants)
        .set({ revoked_at, revoked_reason: reason })
        .where(and(these, isNull(grants.revoked_at)))
        .returning(endedColumns),
      voidTokens(database, tenant.id, which, justEnded, revoked_at),
      forgetConsents(database, tenant.id, justEnded),
    ]);
    for (const row of rows) ended.push(row);
  }
  // Also where no grant ended: a person or a client has tokens without one. What was revoked already is nothing to tell.
  const all = wholeSubject(which);
  if (ended.length === 0 && all === undefined) return { ended: 0, isTold: true };
  // Again with the time after that: a token takes its own before it reads what it rests on, so it read that this ended, or it is void.
  if (all !== undefined) await revokeTokens(database, tenant.id, all, clock.now());
  const isTold = await announceRevocation(platform, tenant.id);
  if (ended.length > 0) await visit.recorder.record(eventOf(visit, which, ended, reason));
  const told = ended.slice(0, limits.grantsTold_count);
  platform.waitUntil(
    Promise.all(told.map(({ id }) => askGrant(platform, tenant.id, id, (grant) => grant.end(clock.now())))),
  );
  return { ended: ended.length, isTold };
}

const endedColumns = {
  id: grants.id,
  user_id: grants.user_id,
  client_id: grants.client_id,
  client_name: grants.client_name,
  redirect_uri: grants.redirect_uri,
};

/** One statement each, and several only for more redirect URIs than one takes. */
async function conditionsOf(visit: Visit, database: Database, which: GrantSelection): Promise<SQL[]> {
  if ("id" in which) return [eq(grants.id, which.id)];
  if ("user_id" in which) return [eq(grants.user_id, which.user_id)];
  if ("client_id" in which) return [eq(grants.client_id, which.client_id)];
  if ("provider_id" in which) {
    const people = database
      .select({ id: users.id })
      .from(users)
      .where(and(eq(users.tenant_id, visit.tenant.id), eq(users.provider_id, which.provider_id)));
    return [inArray(grants.user_id, people)];
  }
  const abandoned = await abandonedRedirects(visit, database, which.redirect_uris);
  const conditions: SQL[] = [];
  for (let from = 0; from < abandoned.length; from += limits.revokedRedirects_count) {
    const uris = JSON.stringify(abandoned.slice(from, from + limits.revokedRedirects_count));
    conditions.push(sql`${grants.redirect_uri} in (select value from json_each(${uris}))`);
  }
  return conditions;
}

/** Redirect URIs of living grants that an entry covered and none covers now: each port of loopback is another. */
async function abandonedRedirects(
  { platform, tenant }: Visit,
  database: Database,
  entries: readonly string[],
): Promise<string[]> {
  const trusted = await trustedRedirects(database, tenant.id).all();
  const used = await database
    .selectDistinct({ redirect_uri: grants.redirect_uri })
    .from(grants)
    .where(and(eq(grants.tenant_id, tenant.id), livingGrant(platform.ports.clock.now())));
  return used
    .map(({ redirect_uri }) => redirect_uri)
    .filter((uri) => entries.some((entry) => coversRedirect(entry, uri)) && !isTrustedRedirect(uri, trusted));
}

/** A statement: the consents that led to the grants that it finds. */
function forgetConsents(database: Database, tenant: string, ended: SQL | undefined) {
  const pairs = database.select({ user_id: grants.user_id, client_id: grants.client_id }).from(grants).where(ended);
  return database
    .delete(consents)
    .where(and(eq(consents.tenant_id, tenant), sql`(${consents.user_id}, ${consents.client_id}) in ${pairs}`));
}

/** One event for what was ended, whatever the number of grants. It names what all of them have in common. */
function eventOf(visit: Visit, which: GrantSelection, ended: readonly Ended[], reason: string) {
  const shared = <K extends keyof Ended>(name: K): string | undefined => {
    const value = ended[0]?.[name];
    return ended.every((one) => one[name] === value) ? value : undefined;
  };
  const user_id = shared("user_id");
  return authEvent(visit, {
    action: "grant.revoke",
    outcome: "ok",
    reason,
    ...(user_id === undefined ? {} : { user: { id: user_id, email: null } }),
    agent: shared("client_id"),
    client_name: shared("client_name"),
    grant: shared("id"),
    redirect_uri: shared("redirect_uri") ?? ("redirect_uris" in which ? which.redirect_uris[0] : undefined),
    provider: "provider_id" in which ? which.provider_id : undefined,
  });
}
