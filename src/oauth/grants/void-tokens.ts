/** What voids the access tokens of grants that end, in the same transaction. */
import { and, gt, sql, type SQL } from "drizzle-orm";
import { grants, revocations, type Database } from "../../db/index.ts";
import { limits } from "../../limits.ts";
import { laterRevocation, revokeTokens, type Revoked } from "../../tenant/index.ts";
import type { GrantSelection } from "./revoke-grants.ts";

/** Where all tokens of somebody end, those without a grant too, one revocation says it. */
export function wholeSubject(which: GrantSelection): Revoked | undefined {
  if ("user_id" in which) return { kind: "user", subject: which.user_id };
  return "client_id" in which ? { kind: "client", subject: which.client_id } : undefined;
}

/**
 * A statement for the batch that ends the grants.
 * @param ended finds them after that
 */
export function voidTokens(
  database: Database,
  tenant: string,
  which: GrantSelection,
  ended: SQL | undefined,
  now: number,
) {
  const all = wholeSubject(which);
  return all === undefined
    ? voidEnded(database, ended, "provider_id" in which ? "user" : "grant", now)
    : revokeTokens(database, tenant, all, now);
}

/**
 * One row for each grant, or each person, of which a token may live. A grant that gives one notes its time first, while it stands: none
 * of a later time can come.
 */
function voidEnded(database: Database, ended: SQL | undefined, kind: "grant" | "user", now: number) {
  const subject = kind === "user" ? grants.user_id : grants.id;
  const recent = database
    .select({
      ...{
        tenant_id: grants.tenant_id,
        kind: sql<typeof kind>`${kind}`.as("kind"),
        subject: sql<string>`${subject}`.as("subject"),
      },
      not_before: sql<number>`max(${now}, max(${grants.last_used_at}))`.as("not_before"),
      expires_at: sql<number>`${now + limits.revocation_ms}`.as("expires_at"),
    })
    .from(grants)
    .where(and(ended, gt(grants.last_used_at, now - limits.revocation_ms)))
    .groupBy(grants.tenant_id, subject);
  return database.insert(revocations).select(recent).onConflictDoUpdate(laterRevocation);
}
