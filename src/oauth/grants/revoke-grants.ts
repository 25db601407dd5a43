/** Ends grants before their time. D1 is the truth that a refresh asks; the revocation reaches every isolate within two seconds. */
import { and, eq, gt, inArray, isNull, or, sql, type SQL } from "drizzle-orm";
import { consents, grants, openDatabase, revocations, type Database } from "../../db/index.ts";
import { limits } from "../../limits.ts";
import { authEvent, type Visit } from "../../login/index.ts";
import { revokeTokens } from "../../tenant/index.ts";
import { announce } from "../tokens/announce.ts";
import { coversRedirect, isTrustedRedirect, trustedRedirects } from "../redirects/index.ts";
import { askGrant } from "./object-of.ts";

export type GrantSelection =
  | { readonly id: string }
  | { readonly user_id: string }
  | { readonly client_id: string }
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
 * The consents that led there are forgotten as well, so that the person is asked again.
 * @param reason stable: `user`, `administrator`, `client`, `code_replay`, `refresh_reuse`, `redirect_untrusted` …
 * @returns how many grants ended now
 * @throws when D1 fails; then it is not known which of them ended, and the caller says so
 */
export async function revokeGrants(visit: Visit, which: GrantSelection, reason: string): Promise<number> {
  if (!("redirect_uris" in which)) return revokeMatching(visit, which, matching(which), reason);
  let ended = 0;
  for (const redirect_uri of await abandonedRedirects(visit, which.redirect_uris)) {
    ended += await revokeMatching(visit, { redirect_uri }, eq(grants.redirect_uri, redirect_uri), reason);
  }
  return ended;
}

type Subject = Exclude<GrantSelection, { redirect_uris: readonly string[] }> | { readonly redirect_uri: string };

function matching(which: Exclude<GrantSelection, { redirect_uris: readonly string[] }>): SQL {
  if ("id" in which) return eq(grants.id, which.id);
  return "user_id" in which ? eq(grants.user_id, which.user_id) : eq(grants.client_id, which.client_id);
}

async function revokeMatching(visit: Visit, subject: Subject, condition: SQL, reason: string): Promise<number> {
  const { platform, tenant } = visit;
  const database = openDatabase(platform.bindings.DB);
  const { clock } = platform.ports;
  const living = and(eq(grants.tenant_id, tenant.id), condition, isNull(grants.revoked_at));
  const revoked_at = clock.now();
  const [ended]: [Ended[], unknown] = await database.batch([
    database.update(grants).set({ revoked_at, revoked_reason: reason }).where(living).returning(endedColumns),
    voidTokens(database, tenant.id, subject, revoked_at),
  ]);
  // Again with the time after that: a token takes its own before it reads the grant, so what it read was ended, or it is void.
  await voidTokens(database, tenant.id, subject, clock.now());
  // Also where no grant ended: a person or a client has tokens without one.
  await announce(visit);
  if (ended.length === 0) return 0;
  await forgetConsents(database, tenant.id, ended);
  await visit.recorder.record(eventOf(visit, subject, ended, reason));
  const told = ended.slice(0, limits.grantsTold_count);
  platform.waitUntil(
    Promise.all(told.map(({ id }) => askGrant(platform, tenant.id, id, (grant) => grant.end(clock.now())))),
  );
  return ended.length;
}

const endedColumns = {
  id: grants.id,
  user_id: grants.user_id,
  client_id: grants.client_id,
  client_name: grants.client_name,
  redirect_uri: grants.redirect_uri,
};

/** A statement that voids tokens issued up to now: one row where all of a person, client or grant end. */
function voidTokens(database: Database, tenant: string, subject: Subject, now: number) {
  if ("user_id" in subject) return revokeTokens(database, tenant, { kind: "user", subject: subject.user_id }, now);
  if ("client_id" in subject) {
    return revokeTokens(database, tenant, { kind: "client", subject: subject.client_id }, now);
  }
  if ("id" in subject) return revokeTokens(database, tenant, { kind: "grant", subject: subject.id }, now);
  return voidByRedirect(database, tenant, subject.redirect_uri, now);
}

/** One row for each grant that was used while a token of it may live, in one statement. */
function voidByRedirect(database: Database, tenant: string, redirect_uri: string, now: number) {
  const recent = database
    .select({
      ...{ tenant_id: grants.tenant_id, kind: sql<"grant">`'grant'`.as("kind"), subject: grants.id },
      not_before: sql<number>`${now}`.as("not_before"),
      expires_at: sql<number>`${now + limits.revocation_ms}`.as("expires_at"),
    })
    .from(grants)
    .where(
      and(
        eq(grants.tenant_id, tenant),
        eq(grants.redirect_uri, redirect_uri),
        or(gt(grants.last_used_at, now - limits.revocation_ms), isNull(grants.last_used_at)),
      ),
    );
  return database
    .insert(revocations)
    .select(recent)
    .onConflictDoUpdate({
      target: [revocations.tenant_id, revocations.kind, revocations.subject],
      set: {
        not_before: sql`max(${revocations.not_before}, excluded.not_before)`,
        expires_at: sql`max(${revocations.expires_at}, excluded.expires_at)`,
      },
    });
}

/** D1 binds at most 100 parameters. */
const chunk_count = 40;

async function forgetConsents(database: Database, tenant: string, ended: readonly Ended[]): Promise<void> {
  const users = [...new Set(ended.map(({ user_id }) => user_id))];
  const clients = [...new Set(ended.map(({ client_id }) => client_id))];
  for (let from = 0; from < users.length; from += chunk_count) {
    for (let other = 0; other < clients.length; other += chunk_count) {
      await database
        .delete(consents)
        .where(
          and(
            eq(consents.tenant_id, tenant),
            inArray(consents.user_id, users.slice(from, from + chunk_count)),
            inArray(consents.client_id, clients.slice(other, other + chunk_count)),
          ),
        );
    }
  }
}

/** Redirect URIs of living grants that an entry covered and none covers now. */
async function abandonedRedirects({ platform, tenant }: Visit, entries: readonly string[]): Promise<string[]> {
  const database = openDatabase(platform.bindings.DB);
  const trusted = await trustedRedirects(database, tenant.id).all();
  const used = await database
    .selectDistinct({ redirect_uri: grants.redirect_uri })
    .from(grants)
    .where(and(eq(grants.tenant_id, tenant.id), isNull(grants.revoked_at)));
  return used
    .map(({ redirect_uri }) => redirect_uri)
    .filter((uri) => entries.some((entry) => coversRedirect(entry, uri)) && !isTrustedRedirect(uri, trusted));
}

/** One event for what was ended, whatever the number of grants. */
function eventOf(visit: Visit, subject: Subject, ended: readonly Ended[], reason: string) {
  const [first] = ended;
  const isOne = ended.length === 1;
  return authEvent(visit, {
    action: "grant.revoke",
    outcome: "ok",
    reason,
    ...("user_id" in subject || isOne ? { user: { id: first?.user_id ?? "", email: null } } : {}),
    ...("client_id" in subject || isOne ? { agent: first?.client_id, client_name: first?.client_name } : {}),
    ...(isOne ? { grant: first?.id } : {}),
    ...("redirect_uri" in subject || isOne ? { redirect_uri: first?.redirect_uri } : {}),
  });
}
