/** Consents that are remembered, in D1. */
import { and, desc, eq, gt, notInArray, sql, type SQL } from "drizzle-orm";
import * as z from "zod";
import { consents, type Database } from "../../db/index.ts";
import { limits } from "../../limits.ts";

const idsColumn = z.array(z.string());

/** What the question was about: another of any of these is another question. */
export interface ConsentKey {
  readonly user_id: string;
  readonly client_id: string;
  readonly redirect_uri: string;
  readonly resource: string;
  readonly scope: string;
}

export interface Consent extends ConsentKey {
  /** Server ids. */
  readonly offered: readonly string[];
  readonly servers: readonly string[];
  readonly given_at: number;
  readonly expires_at: number;
}

/** Every statement carries the tenant, since there is no method without it. */
export function consentRows(database: Database, tenant: string) {
  const one = (key: ConsentKey): SQL | undefined =>
    and(
      eq(consents.tenant_id, tenant),
      eq(consents.user_id, key.user_id),
      eq(consents.client_id, key.client_id),
      eq(consents.redirect_uri, key.redirect_uri),
      eq(consents.resource, key.resource),
      eq(consents.scope, key.scope),
    );

  const forgetPast = (condition: SQL | undefined, count: number) => {
    const newest = database
      .select({ rowid: sql`rowid` })
      .from(consents)
      .where(condition)
      .orderBy(desc(consents.given_at), desc(sql`rowid`))
      .limit(count);
    return database.delete(consents).where(and(condition, notInArray(sql`rowid`, newest)));
  };

  return {
    /** @returns the servers that were chosen when exactly these were offered */
    async find(key: ConsentKey, offered: readonly string[], now: number): Promise<readonly string[] | undefined> {
      const [row] = await database
        .select({ servers: consents.servers })
        .from(consents)
        .where(and(one(key), eq(consents.offered, canonical(offered)), gt(consents.expires_at, now)));
      return row === undefined ? undefined : idsColumn.parse(JSON.parse(row.servers));
    },

    /** The oldest answers of the person go where there are too many, of this client and endpoint or of all. */
    async remember({ offered, servers, ...rest }: Consent): Promise<void> {
      const answer = { ...rest, offered: canonical(offered), servers: canonical(servers) };
      const ofUser = and(eq(consents.tenant_id, tenant), eq(consents.user_id, rest.user_id));
      const ofClient = and(ofUser, eq(consents.client_id, rest.client_id), eq(consents.resource, rest.resource));
      await database.batch([
        database
          .insert(consents)
          .values({ ...answer, tenant_id: tenant })
          .onConflictDoUpdate({
            target: [
              consents.tenant_id,
              consents.user_id,
              consents.client_id,
              consents.redirect_uri,
              consents.resource,
              consents.scope,
            ],
            set: answer,
          }),
        forgetPast(ofClient, limits.consentsPerClient_count),
        forgetPast(ofUser, limits.consentsPerUser_count),
      ]);
    },
  };
}

const canonical = (ids: readonly string[]): string => JSON.stringify([...ids].sort());
