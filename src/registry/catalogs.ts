/**
 * Lists of servers, and what became of the last question, in KV: for isolates that start cold and for administrators. KV is a
 * cache that may be stale, slow or down, so nothing here fails: a read then finds nothing, and a write is logged and given up.
 */
import * as z from "zod";
import { limits } from "../limits.ts";
import type { Platform } from "../platform.ts";

const storedCatalog = z.object({
  /** Era of the server, in which the list was asked for. */
  server_era: z.enum(["modern", "legacy"]),
  /** False when the server does not declare the capability: then it has no items. */
  offered: z.boolean(),
  /** JSON array of the items by the server's own names. Text, so that numbers keep their digits. */
  items_text: z.string(),
  /** What the server promised; 0 when it promised nothing. */
  ttl_ms: z.number(),
  /** Milliseconds since the Unix epoch. */
  fetched_at: z.number(),
  truncated: z.boolean(),
});

export type StoredCatalog = z.infer<typeof storedCatalog>;

/** How many items each list of a server has. */
const counts = z.object({
  tools: z.int().optional(),
  prompts: z.int().optional(),
  resources: z.int().optional(),
  templates: z.int().optional(),
});

/** What became of the last question to a server. */
export const serverStatusSchema = z.object({
  /** `ok`, `truncated`, `not_offered` or the reason of the failure. */
  outcome: z.string(),
  /** Milliseconds since the Unix epoch; like `ok_at`, which is the last time that it answered. */
  at: z.number(),
  ok_at: z.number().optional(),
  counts,
  /** Items that were left out because clients could not take them, or because their names were not unique. */
  dropped: counts,
});

export type ServerStatus = z.infer<typeof serverStatusSchema>;

/** Which list: of this configuration of the server, as this kind of client sees it, for everybody or for one account. */
export interface CatalogName {
  readonly server_id: string;
  readonly revision: number;
  /** The client's era, with what decides about the list besides. */
  readonly audience: string;
  /** Whose list it is; empty where everybody has the same. */
  readonly holder: string;
  readonly method: string;
}

export interface CatalogsStore {
  read(name: CatalogName): Promise<StoredCatalog | undefined>;
  /** Lists past `limits.listAll_chars` are not stored: KV takes 25 MiB. */
  write(name: CatalogName, catalog: StoredCatalog): Promise<void>;
  readStatus(server_id: string): Promise<ServerStatus | undefined>;
  /** @returns whether it is stored */
  writeStatus(server_id: string, status: ServerStatus): Promise<boolean>;
}

/** The store of one tenant. */
export function catalogsStore(platform: Pick<Platform, "bindings" | "ports" | "log">, tenant: string): CatalogsStore {
  const { bindings, ports, log } = platform;

  async function read<T>(key: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const finished = new AbortController();
    try {
      const late = ports.clock.sleep(limits.cacheRead_ms, finished.signal);
      return schema.safeParse(await Promise.race([bindings.CACHE.get(key, "json"), late])).data;
    } catch (cause) {
      log("warn", "KV could not be read", { cause });
      return undefined;
    } finally {
      finished.abort();
    }
  }

  async function write(key: string, text: string): Promise<boolean> {
    try {
      await bindings.CACHE.put(key, text, { expirationTtl: limits.catalogLife_ms / 1000 });
      return true;
    } catch (cause) {
      log("warn", "KV could not be written", { cause });
      return false;
    }
  }

  const catalogKey = ({ server_id, revision, audience, holder, method }: CatalogName): string =>
    `catalog:${tenant}:${server_id}:${revision}:${audience}:${holder}:${method}`;
  const statusKey = (server_id: string): string => `status:${tenant}:${server_id}`;

  return {
    read: (name) => read(catalogKey(name), storedCatalog),
    async write(name, catalog) {
      const text = JSON.stringify(catalog);
      if (text.length <= limits.listAll_chars) await write(catalogKey(name), text);
    },
    readStatus: (server_id) => read(statusKey(server_id), serverStatusSchema),
    writeStatus: (server_id, status) => write(statusKey(server_id), JSON.stringify(status)),
  };
}
