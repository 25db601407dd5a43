/** The people of one tenant in D1. Identity is (tenant, issuer, subject): an e-mail address joins nothing. */
import { and, asc, eq, gt, sql } from "drizzle-orm";
import * as z from "zod";
import { identity_providers, rowWhere, users, type Database } from "../db/index.ts";
import { limits } from "../limits.ts";
import { providerOptionsSchema } from "./provider-options.ts";
import { currentRole, type Role } from "./roles.ts";

export interface User {
  readonly id: string;
  readonly provider_id: string;
  readonly issuer: string;
  readonly subject: string;
  readonly email: string | null;
  readonly email_verified: boolean;
  readonly name: string | null;
  readonly role: Role;
  /** Those of the provider's groups that the tenant's rules named at the last sign-in. */
  readonly groups: readonly string[];
  readonly enabled: boolean;
  readonly created_at: number;
  readonly last_sign_in_at: number;
  readonly updated_at: number;
}

/** What a sign-in sets anew. */
export type SignedInFacts = Pick<
  User,
  "provider_id" | "issuer" | "subject" | "email" | "email_verified" | "name" | "role" | "groups"
>;

const groupsColumn = z.array(z.string());

/** What pages call a person. */
export function displayName({ id, name, email }: Pick<User, "id" | "name" | "email">): string {
  return name ?? email ?? `User ${id.slice(-8)}`;
}

/**
 * Somebody who may be here: with the role that the provider's rules give now, which may be another than at the last sign-in.
 * @param options of the provider's row
 * @returns undefined when no rule admits them any more
 * @throws when a row is not readable
 */
export function toAdmittedUser(row: typeof users.$inferSelect, options: string): User | undefined {
  const user = toUser(row);
  const role = currentRole(providerOptionsSchema.parse(JSON.parse(options)), user);
  return role === undefined ? undefined : { ...user, role };
}

/** @throws when a row is not readable */
export function toUser({ tenant_id: _tenant, ...row }: typeof users.$inferSelect): User {
  return { ...row, groups: groupsColumn.parse(JSON.parse(row.groups)) };
}

export function usersRepository(database: Database, tenant: string) {
  const mine = eq(users.tenant_id, tenant);
  const one = (id: string) => and(mine, eq(users.id, id));
  const identity = ({ issuer, subject }: Pick<User, "issuer" | "subject">) =>
    and(mine, eq(users.issuer, issuer), eq(users.subject, subject));

  const columns = (facts: SignedInFacts, now: number) => ({
    ...facts,
    groups: JSON.stringify(facts.groups),
    last_sign_in_at: now,
    updated_at: sql<number>`max(${now}, ${users.updated_at} + 1)`,
  });

  return {
    /** In the order of the first sign-in. @param after the id that the page starts behind */
    async page(after: string | undefined, count: number): Promise<User[]> {
      const where = after === undefined ? mine : and(mine, gt(users.id, after));
      return (await database.select().from(users).where(where).orderBy(asc(users.id)).limit(count)).map(toUser);
    },

    async get(id: string): Promise<User | undefined> {
      const [row] = await database.select().from(users).where(one(id));
      return row === undefined ? undefined : toUser(row);
    },

    /** The person if still allowed in: enabled, and so is the provider, whose rules admit them as they are now. */
    async living(id: string): Promise<User | undefined> {
      const [row] = await database
        .select({ user: users, options: identity_providers.options })
        .from(users)
        .innerJoin(
          identity_providers,
          and(eq(identity_providers.tenant_id, tenant), eq(identity_providers.id, users.provider_id)),
        )
        .where(and(one(id), eq(users.enabled, true), eq(identity_providers.enabled, true)));
      return row === undefined ? undefined : toAdmittedUser(row.user, row.options);
    },

    async byIdentity(issuer: string, subject: string): Promise<User | undefined> {
      const [row] = await database.select().from(users).where(identity({ issuer, subject }));
      return row === undefined ? undefined : toUser(row);
    },

    /**
     * The first sign-in makes the person, later ones renew what the provider says. A disabled person stays as they are.
     * @param id of the person, if this is the first time
     * @returns `disabled`, or `full` at `limits.usersPerTenant_count`
     */
    async signIn(id: string, facts: SignedInFacts, now: number): Promise<User | "disabled" | "full"> {
      const renewal = columns(facts, now);
      const enabled = eq(users.enabled, true);
      const [renewed] = await database
        .update(users)
        .set(renewal)
        .where(and(identity(facts), enabled))
        .returning();
      if (renewed !== undefined) return toUser(renewed);
      const row = { ...facts, id, tenant_id: tenant, groups: renewal.groups, enabled: true };
      const below = sql`(select count(*) from ${users} where ${mine}) < ${limits.usersPerTenant_count}`;
      const [made] = await database
        .insert(users)
        .select(rowWhere(users, { ...row, created_at: now, last_sign_in_at: now, updated_at: now }, below))
        // Two first sign-ins at once make one person.
        .onConflictDoUpdate({ target: [users.tenant_id, users.issuer, users.subject], set: renewal, setWhere: enabled })
        .returning();
      if (made !== undefined) return toUser(made);
      return (await this.byIdentity(facts.issuer, facts.subject)) === undefined ? "full" : "disabled";
    },

    /** @returns the statement that enables or disables, for a batch; it returns the row, or none when there is no such person */
    setEnabled(id: string, enabled: boolean, now: number) {
      return database
        .update(users)
        .set({ enabled, updated_at: sql`max(${now}, ${users.updated_at} + 1)` })
        .where(one(id))
        .returning();
    },
  };
}
