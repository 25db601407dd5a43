/** The row of one tenant in D1: whether it is initialised, and its settings. */
import { and, eq } from "drizzle-orm";
import { tenants, type Database } from "../db/index.ts";
import { defaultSettings, settingsSchema, type TenantSettings } from "./settings.ts";

export interface StoredSettings {
  /** A row that development mode made has no administrator: it does not count as initialised. */
  readonly initialised: boolean;
  readonly settings: TenantSettings;
  /** Zero while nothing is stored. Grows with every change: the version that `If-Match` compares. */
  readonly updated_at: number;
}

export function settingsStore(database: Database, tenant: string) {
  const mine = eq(tenants.id, tenant);

  return {
    async read(): Promise<StoredSettings> {
      const [row] = await database.select().from(tenants).where(mine);
      if (row === undefined) return { initialised: false, settings: defaultSettings, updated_at: 0 };
      return {
        initialised: row.initialised_at > 0,
        settings: settingsSchema.parse(JSON.parse(row.settings)),
        updated_at: row.updated_at,
      };
    },

    /**
     * @param seen `updated_at` of what the change was computed from
     * @returns the new version, or `undefined` when it changed meanwhile
     */
    async write(settings: TenantSettings, seen: number, now: number): Promise<number | undefined> {
      const updated_at = Math.max(now, seen + 1);
      const stored = JSON.stringify(settings);
      const written =
        seen === 0
          ? await database
              .insert(tenants)
              .values({ id: tenant, initialised_at: 0, settings: stored, updated_at })
              .onConflictDoNothing()
              .returning({ id: tenants.id })
          : await database
              .update(tenants)
              .set({ settings: stored, updated_at })
              .where(and(mine, eq(tenants.updated_at, seen)))
              .returning({ id: tenants.id });
      return written.length > 0 ? updated_at : undefined;
    },
  };
}
