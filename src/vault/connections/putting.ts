/** Storing what a link brought. */
import { and, eq, ne, sql } from "drizzle-orm";
import { connections, openDatabase, rowWhere } from "../../db/index.ts";
import { limits } from "../../limits.ts";
import { askConnection } from "./objects.ts";
import { connectionReading } from "./reading.ts";
import { keepDefault, personal, rowsOf, type ConnectionRow, type SealedConnection } from "./rows.ts";
import { sealCredential } from "./sealing.ts";
import { byRow, mayHave, type ConnectionStoreBase } from "./store-base.ts";
import type { ConnectionKey, NewConnection } from "./types.ts";

/** `busy`: others wrote the same connection all the time, or its object could not be asked. */
export type Put = "stored" | "user_disabled" | "full" | "busy";

export function connectionPutting(base: ConnectionStoreBase) {
  const { platform, vault } = base;
  const tenant = base.tenant.id;
  const { clock, random } = platform.ports;
  const database = openDatabase(platform.bindings.DB);
  const mine = eq(connections.tenant_id, tenant);
  const reading = connectionReading(base);

  async function newRow(
    key: ConnectionKey,
    given: NewConnection,
    revision: number,
    replaced: SealedConnection | undefined,
  ): Promise<ConnectionRow> {
    const { user_id, target, account } = key;
    const { credential, ...columns } = given;
    const id = random.uuid();
    const now = clock.now();
    return {
      ...columns,
      ...{ tenant_id: tenant, id, user_id, target, account, revision },
      ...{ is_default: replaced?.is_default ?? false, state: "linked", reason: null, tries: 0, next_try_at: null },
      ...{ created_at: now, updated_at: now },
      credential: await sealCredential(vault, tenant, { ...key, ...columns, id, revision }, credential),
    };
  }

  async function insert(row: ConnectionRow): Promise<boolean> {
    const [inserted] = await database.batch([
      database
        .insert(connections)
        .select(rowWhere(connections, row, sql`${mayHave(base, row)} and ${hasRoom(row)}`))
        .onConflictDoNothing()
        .returning({ id: connections.id }),
      keepDefault(database, tenant, row),
    ]);
    return inserted.length > 0;
  }

  async function replace(row: ConnectionRow, replaced: SealedConnection): Promise<boolean> {
    const { tenant_id: _tenant, is_default: _default, ...columns } = row;
    const written = await database
      .update(connections)
      .set(columns)
      .where(and(byRow(tenant, replaced), ne(connections.state, "ending"), mayHave(base, row)))
      .returning({ id: connections.id });
    return written.length > 0;
  }

  /** The organisation has no more than its configuration names. */
  function hasRoom({ user_id, target }: ConnectionKey) {
    if (user_id === "") return sql`true`;
    const theirs = and(mine, eq(connections.user_id, user_id), ne(connections.state, "ending"));
    const accounts = and(rowsOf(tenant, { user_id, target }), personal());
    return sql`(select count(*) from ${connections} where ${theirs}) < ${limits.connectionsPerUser_count}
      and (select count(*) from ${connections} where ${accounts}) < ${limits.accountsPerTarget_count}`;
  }

  /** Undefined: another was faster. */
  async function whyNot(key: ConnectionKey): Promise<"user_disabled" | "full" | undefined> {
    const answer = await database.get<{ allowed: number; room: number }>(
      sql`select ${mayHave(base, key)} as allowed, (${hasRoom(key)}) as room`,
    );
    if (answer.allowed !== 1) return "user_disabled";
    return answer.room !== 1 && (await reading.find(key)) === undefined ? "full" : undefined;
  }

  return {
    /**
     * Stores what a link brought, in place of what was there under the same name: with a new id, and at the revision that the object
     * gives. Only for a person who may sign in, for the organisation, and for the one person of development mode.
     */
    async put(key: ConnectionKey, given: NewConnection): Promise<Put> {
      for (let tries = 0; tries < limits.connectionWrites_count; tries += 1) {
        const replaced = await reading.find(key);
        const seen = replaced?.revision ?? 0;
        const revision = await askConnection(base, key, async (object): Promise<number> => await object.issue(seen));
        if (revision === undefined) return "busy";
        const row = await newRow(key, given, revision, replaced);
        if (await (replaced === undefined ? insert(row) : replace(row, replaced))) {
          // Should it not be told, it learns of the revision from the next who reads the row.
          await askConnection(base, key, async (object): Promise<void> => await object.linked(revision));
          return "stored";
        }
        const refused = await whyNot(key);
        if (refused !== undefined) return refused;
      }
      return "busy";
    },
  };
}
