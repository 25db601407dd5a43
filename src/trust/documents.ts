/**
 * JSON documents that others publish: fetched once for all who want them, and kept for a while.
 * @see docs/decisions/0010-what-others-publish.md
 */
import { checkUrl } from "../egress/index.ts";
import { err, ok, type JsonObject, type Result } from "../ports.ts";
import { payFetch } from "./client-budget.ts";
import { objectName, type ClientKind, type Judgement, type TrustedKind } from "./document-kind.ts";
import { documentFailure, requestDocument } from "./document-request.ts";
import type { Claimed, DocumentKey, Documents, Fetched, Settled } from "./documents-object.ts";
import type { Inquirer } from "./inquirer.ts";
import { readJsonText } from "./json.ts";

interface AnyQuestion {
  /** Called as it is written; documents of different spellings are different ones. */
  readonly url: string;
  /**
   * What was fetched up to this time will not do: asks again, unless that happened within `limits.documentCooldown_ms`; then the old
   * one comes back. Milliseconds since the Unix epoch: `fetched_at` of the document at hand.
   */
  readonly newer_than?: number;
}

export interface TrustedQuestion extends AnyQuestion {
  readonly kind: TrustedKind;
}

export interface ClientQuestion extends AnyQuestion {
  readonly kind: ClientKind;
  /** Asked once for what was fetched: of strangers nothing is kept but what is what it should be. */
  judge(json: JsonObject): Judgement | Promise<Judgement>;
}

/** The kind says who chose the URL. */
export type DocumentQuestion = TrustedQuestion | ClientQuestion;

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
 * The document at a URL: of all requests that want it at once, over all isolates, one fetches it. Failures are not kept. A document
 * stands in for its successor while its host fails or may not be asked: those of administrators for `limits.documentStale_ms_max`;
 * those of clients for `limits.clientDocumentStale_ms_max`, unless their publisher took them away.
 * @see RFC 9111; draft-ietf-oauth-client-id-metadata-document section 4.4
 */
export async function fetchDocument(
  inquirer: Inquirer,
  question: DocumentQuestion,
): Promise<Result<FetchedDocument, DocumentFailure>> {
  const { platform, tenant } = inquirer;
  const { configuration, ports, bindings } = platform;
  const { url, kind, newer_than } = question;
  const checked = checkUrl(url, { mode: configuration.mode, origins: configuration.egressOrigins });
  // Before the object: a forbidden address gets none.
  if (!checked.ok) return err(documentFailure(checked.error));
  const { host } = checked.value;
  const object = bindings.DOCUMENTS.getByName(objectName(tenant.id, kind, host));
  const lease = ports.random.bytes(lease_bytes).toBase64();
  const now = ports.clock.now();
  const claim = { kind, url, lease, newer_than: newer_than ?? null, now };
  const claimed = await asked(inquirer, async (): Promise<Claimed> => await object.claim(claim));
  if (claimed === undefined) return err(unavailable);
  if (claimed.kind !== "fetch") return outcomeOf(claimed);
  // Others wait for it, so it goes on when the client of this request leaves.
  const holder = { inquirer, object, question, host, lease };
  const settled = claimed.first ? payAndSettle(holder) : fetchAndSettle(holder);
  platform.waitUntil(settled);
  return outcomeOf(await settled);
}

/** Who has the right to fetch. */
interface Holder {
  readonly inquirer: Inquirer;
  readonly object: DurableObjectStub<Documents>;
  readonly question: DocumentQuestion;
  readonly host: string;
  readonly lease: string;
}

const keyOf = ({ kind, url }: DocumentQuestion): DocumentKey => ({ kind, url });

/** Whoever may not pay fails alone: the next of those who wait may come from another network. */
async function payAndSettle(holder: Holder): Promise<Settled> {
  const { inquirer, object, question, host, lease } = holder;
  const reason = await freeing(holder, () => payFetch(inquirer, host));
  if (reason === undefined) return fetchAndSettle(holder);
  await asked(inquirer, async (): Promise<void> => await object.release(keyOf(question), lease));
  return { kind: "failed", failure: { reason, transient: true } };
}

async function fetchAndSettle(holder: Holder): Promise<Settled> {
  const fetched = await freeing(holder, () => requestAndJudge(holder));
  const now = holder.inquirer.platform.ports.clock.now();
  const settled = await settle(holder, fetched);
  if (settled !== undefined) return settled;
  // What was fetched is good, whether it could be kept or not.
  return fetched.kind === "document"
    ? { kind: "known", document: { json: fetched.json, fetched_at: now } }
    : { kind: "failed", failure: fetched.failure };
}

/** The others must not wait for what will not come. */
async function freeing<T>(holder: Holder, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    await settle(holder, { kind: "failure", failure: unavailable });
    throw thrown;
  }
}

const settle = ({ inquirer, object, question, lease }: Holder, fetched: Fetched): Promise<Settled | undefined> => {
  const now = inquirer.platform.ports.clock.now();
  return asked(inquirer, async (): Promise<Settled> => await object.settle(keyOf(question), lease, now, fetched));
};

async function requestAndJudge({ inquirer, question }: Holder): Promise<Fetched> {
  const document = await requestDocument(inquirer.fetch, question.url, question.kind);
  if (!document.ok) return { kind: "failure", failure: document.error };
  const { json, text, life_ms } = document.value;
  const judgement = "judge" in question ? await question.judge(json) : "accepted";
  return { kind: "document", json: text, life_ms, judgement };
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
