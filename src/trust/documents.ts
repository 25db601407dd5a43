/**
 * JSON documents that others publish: fetched once for all who want them, and kept for a while.
 * @see docs/decisions/0010-what-others-publish.md
 */
import { openDatabase } from "../db/index.ts";
import { checkUrl } from "../egress/index.ts";
import { limits } from "../limits.ts";
import { err, ok, type JsonObject, type Result } from "../ports.ts";
import { countAttempt } from "./attempts.ts";
import { documentFailure, requestDocument } from "./document-request.ts";
import type { Claimed, DocumentKey, Documents, Fetched, Settled } from "./documents-object.ts";
import type { Inquirer } from "./inquirer.ts";
import { readJsonText } from "./json.ts";

export type DocumentKind = "client_metadata" | "discovery" | "jwks";

export interface DocumentQuestion {
  /** Called as it is written; documents of different spellings are different ones. */
  readonly url: string;
  readonly kind: DocumentKind;
  /**
   * What was fetched up to this time will not do: asks again, unless that happened within `limits.documentCooldown_ms`; then the old
   * one comes back. Milliseconds since the Unix epoch: `fetched_at` of the document at hand.
   */
  readonly newer_than?: number;
}

export interface FetchedDocument {
  readonly json: JsonObject;
  /** Milliseconds since the Unix epoch. */
  readonly fetched_at: number;
}

export interface DocumentFailure {
  /** Stable. */
  readonly reason: string;
  /** Another try later may succeed. */
  readonly transient: boolean;
}

const lease_bytes = 12;
const unavailable: DocumentFailure = { reason: "documents_unavailable", transient: true };

/**
 * The document at a URL: of all requests that want it at once, over all isolates, one fetches it. Failures are not kept, except that
 * a key set or discovery document stands in for its successor while its host fails, for `limits.documentStale_ms_max`.
 * @see RFC 9111; draft-ietf-oauth-client-id-metadata-document section 4.4
 */
export async function fetchDocument(
  inquirer: Inquirer,
  { url, kind, newer_than }: DocumentQuestion,
): Promise<Result<FetchedDocument, DocumentFailure>> {
  const { platform, tenant } = inquirer;
  const { configuration, ports, bindings } = platform;
  const checked = checkUrl(url, { mode: configuration.mode, origins: configuration.egressOrigins });
  // Before the object: a forbidden address gets none.
  if (!checked.ok) return err(documentFailure(checked.error));
  const object = bindings.DOCUMENTS.getByName(`${tenant.id}:${checked.value.host}`);
  const lease = ports.random.bytes(lease_bytes).toBase64();
  const now = ports.clock.now();
  const claim = { kind, url, lease, newer_than: newer_than ?? null, now };
  const claimed = await asked(inquirer, async (): Promise<Claimed> => await object.claim(claim));
  if (claimed === undefined) return err(unavailable);
  if (claimed.kind !== "fetch") return outcomeOf(claimed);
  // Others wait for it, so it goes on when the client of this request leaves.
  const settled = fetchAndSettle(inquirer, object, { kind, url }, lease);
  platform.waitUntil(settled);
  return outcomeOf(await settled);
}

async function fetchAndSettle(
  inquirer: Inquirer,
  object: DurableObjectStub<Documents>,
  key: DocumentKey,
  lease: string,
): Promise<Settled> {
  const { clock } = inquirer.platform.ports;
  const settle = (fetched: Fetched): Promise<Settled | undefined> =>
    asked(inquirer, async (): Promise<Settled> => await object.settle(key, lease, clock.now(), fetched));
  let fetched: Fetched;
  try {
    fetched = await fetchedWithin(inquirer, key);
  } catch (thrown) {
    // The others must not wait for what will not come.
    await settle({ kind: "failure", failure: unavailable });
    throw thrown;
  }
  const now = clock.now();
  const settled = await settle(fetched);
  if (settled !== undefined) return settled;
  // What was fetched is good, whether it could be kept or not.
  return fetched.kind === "document"
    ? { kind: "known", document: { json: fetched.json, fetched_at: now } }
    : { kind: "failed", failure: fetched.failure };
}

async function fetchedWithin(inquirer: Inquirer, { kind, url }: DocumentKey): Promise<Fetched> {
  if (kind === "client_metadata" && !(await withinTenantBudget(inquirer))) {
    return { kind: "failure", failure: { reason: "document_tenant_budget", transient: true } };
  }
  const document = await requestDocument(inquirer.fetch, url, kind);
  if (!document.ok) return { kind: "failure", failure: document.error };
  return { kind: "document", json: document.value.text, life_ms: document.value.life_ms };
}

/** Strangers choose those URLs; the others an administrator named. */
function withinTenantBudget({ platform, tenant }: Inquirer): Promise<boolean> {
  const rule = {
    purpose: "client_documents",
    count_max: limits.documentsPerTenant_count,
    window_ms: limits.documentsPerTenant_ms,
  };
  return countAttempt(openDatabase(platform.bindings.DB), tenant.id, rule, "", platform.ports.clock.now());
}

function outcomeOf(settled: Settled): Result<FetchedDocument, DocumentFailure> {
  if (settled.kind === "failed") return err(settled.failure);
  const { json, fetched_at } = settled.document;
  const read = readJsonText(json);
  if (!read.ok) throw new Error(`A kept document does not read as it did: ${read.error}`);
  return ok({ json: read.value, fetched_at });
}

/** An object may be reset or out of reach at any time. Nobody knows then whether what was asked has happened. */
async function asked<T>({ platform, tenant }: Inquirer, question: () => Promise<T>): Promise<T | undefined> {
  try {
    return await question();
  } catch (cause) {
    platform.log("warn", "A documents object could not be asked", { tenant: tenant.id, cause });
    return undefined;
  }
}
