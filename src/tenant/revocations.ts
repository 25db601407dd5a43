/** Voids access tokens before their time. The rows reach every isolate with the next snapshot, at most two seconds later. */
import { and, eq, gte, lt, sql } from "drizzle-orm";
import { revocations, type Database } from "../db/index.ts";
import { limits } from "../limits.ts";

export interface Revoked {
  readonly kind: "grant" | "user" | "client" | "holder";
  /** Id of the grant or user; client id; `holderOf`. */
  readonly subject: string;
}

/** One person at one client, or the client for itself. @param subject `sub` of the token */
export const holderOf = (subject: string, client_id: string): string => JSON.stringify([subject, client_id]);

/** For an insert into `revocations`: of two for one subject the later times count, so none is ever taken back. */
export const laterRevocation = {
  target: [revocations.tenant_id, revocations.kind, revocations.subject],
  set: {
    not_before: sql`max(${revocations.not_before}, excluded.not_before)`,
    expires_at: sql`max(${revocations.expires_at}, excluded.expires_at)`,
  },
};

/**
 * A statement for a batch with what ends the subject for good: nothing may refresh what this voids. The caller announces the change.
 * @param now access tokens issued up to this time are void
 */
export function revokeTokens(database: Database, tenant: string, { kind, subject }: Revoked, now: number) {
  return database
    .insert(revocations)
    .values({ tenant_id: tenant, kind, subject, not_before: now, expires_at: now + limits.revocation_ms })
    .onConflictDoUpdate(laterRevocation);
}

/** Whether a token of this time is void already. @param issued_at milliseconds since the Unix epoch */
export async function isRevoked(
  database: Database,
  tenant: string,
  { kind, subject }: Revoked,
  issued_at: number,
): Promise<boolean> {
  const mine = and(eq(revocations.tenant_id, tenant), eq(revocations.kind, kind), eq(revocations.subject, subject));
  const [row] = await database
    .select({ kind: revocations.kind })
    .from(revocations)
    .where(and(mine, gte(revocations.not_before, issued_at)));
  return row !== undefined;
}

/** A statement that forgets what no living token can meet. */
export function sweepRevocations(database: Database, tenant: string, now: number) {
  return database.delete(revocations).where(and(eq(revocations.tenant_id, tenant), lt(revocations.expires_at, now)));
}
