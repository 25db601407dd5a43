/** Who asks for documents of one host, and what its objects hold. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { limits } from "../../../src/limits.ts";
import {
  fetchDocument,
  type DocumentKind,
  type DocumentQuestion,
  type Documents,
  type Judgement,
} from "../../../src/trust/index.ts";
import { createWorld, type World } from "./support.ts";

export const host = "client.example";
export const url = `https://${host}/oauth.json`;

export let world: World;

/** For each test another. */
export function renewWorld(): void {
  world = createWorld();
}

export const network = (count: number): string => `198.51.${count}.0/24`;

/** What is asked, of a document that is what it should be. */
export const question = (kind: DocumentKind = "client_metadata", at = url, newer_than?: number): DocumentQuestion => {
  const more = newer_than === undefined ? {} : { newer_than };
  return kind === "discovery" || kind === "jwks"
    ? { url: at, kind, ...more }
    : { url: at, kind, ...more, judge: () => "accepted" };
};

export const ask = (kind?: DocumentKind, at?: string, newer_than?: number) =>
  fetchDocument(world.sibling(), question(kind, at, newer_than));

/** Of a client that strangers may have invented. */
export const askJudged = (
  judgement: Judgement,
  kind: "client_metadata" | "client_keys" = "client_metadata",
  at = url,
) => fetchDocument(world.sibling(), { url: at, kind, judge: () => judgement });

export const reason = async (kind?: DocumentKind, at?: string, from?: string): Promise<string> => {
  const answered = await fetchDocument(world.sibling(from), question(kind, at));
  return answered.ok ? "ok" : answered.error.reason;
};

export const object = (at = host) => env.DOCUMENTS.getByName(`${world.inquirer.tenant.id}:clients/${at}`);
export const trustedObject = () => env.DOCUMENTS.getByName(`${world.inquirer.tenant.id}:${host}`);

/** Tables of an object, and whether an alarm is set: what an object leaves behind. */
export const traces = (at?: string): Promise<number> =>
  runInDurableObject(object(at), async (_instance, state) => {
    const tables = state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name IN ('documents', 'fetches')");
    return tables.toArray().length + ((await state.storage.getAlarm()) === null ? 0 : 1);
  });

export const rowsOf = (of: DurableObjectStub<Documents>): Promise<number> =>
  runInDurableObject(of, (_instance, { storage: { sql } }) =>
    sql.exec("SELECT name FROM sqlite_master WHERE name = 'documents'").toArray().length === 0
      ? 0
      : sql.exec<{ count: number }>("SELECT count(*) AS count FROM documents").one().count,
  );
export const keptRows = (): Promise<number> => rowsOf(object());

export async function spendTenantBudget(): Promise<void> {
  const far = world.clock.now() + limits.documentsPerTenant_ms;
  const update = "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?)";
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array());
  const key = `client_documents:${new Uint8Array(digest).toBase64({ alphabet: "base64url", omitPadding: true })}`;
  await env.DB.prepare(update).bind(world.inquirer.tenant.id, key, limits.documentsPerTenant_count, far).run();
}
