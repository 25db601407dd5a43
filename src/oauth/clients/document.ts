/**
 * Clients that publish who they are: the client id is the URL of a document (Client ID Metadata Document).
 * @see draft-ietf-oauth-client-id-metadata-document sections 3 to 5; MCP 2026-07-28 authorization, "Client ID Metadata Documents"
 */
import type { Visit } from "../../login/index.ts";
import { limits } from "../../limits.ts";
import { err, ok, type JsonObject, type Result } from "../../ports.ts";
import { fetchDocument, type ClientQuestion, type DocumentFailure, type Judgement } from "../../trust/index.ts";
import type { StopReason } from "../stop.ts";
import type { OAuthClient } from "../types.ts";
import { isTrustedHost, parseDocumentUrl } from "./document-url.ts";
import { readMetadata, type Taken } from "./metadata.ts";

export interface DocumentRefusal {
  readonly stop: StopReason;
  /** Stable, for log and events. */
  readonly reason: string;
}

/** There is no way to share a secret through a public document. */
const taken: Taken = {
  authentications: ["private_key_jwt", "none"],
  authentication_default: "none",
  redirectUris_count: limits.documentRedirectUris_count,
};

/** Section 4.1: shared secrets have no place in it. */
const secretMembers = ["client_secret", "client_secret_expires_at"];

/** Fetches the document, or takes the one that is kept, and reads the client from it. */
export async function findDocumentClient(
  visit: Visit,
  client_id: string,
): Promise<Result<OAuthClient, DocumentRefusal>> {
  const url = parseDocumentUrl(client_id);
  if (url === undefined) return err({ stop: "client_unknown", reason: "document_url" });
  if (!isTrustedHost(url.hostname, visit.snapshot.settings)) {
    return err({ stop: "client_domain_untrusted", reason: "client_domain_untrusted" });
  }
  const asked_at = visit.platform.ports.clock.now();
  const judge = (json: JsonObject): Judgement =>
    readDocument(client_id, url.hostname, json).ok ? "accepted" : "wrong";
  const question: ClientQuestion = { url: client_id, kind: "client_metadata", judge };
  const fetched = await fetchDocument(visit, question);
  if (!fetched.ok) return err(refusalOf(fetched.error));
  const read = readDocument(client_id, url.hostname, fetched.value.json);
  // An invalid document is not kept (section 5.2); one that was kept under other rules is asked for again before it is refused.
  if (read.ok || fetched.value.fetched_at >= asked_at) return read;
  const again = await fetchDocument(visit, { ...question, newer_than: fetched.value.fetched_at });
  return again.ok ? readDocument(client_id, url.hostname, again.value.json) : read;
}

/** Too many documents are asked for, of the host, from the network or by the tenant. */
const budgets: ReadonlySet<string> = new Set([
  "document_host_budget",
  "document_network_budget",
  "document_tenant_budget",
]);

function refusalOf({ reason, transient }: DocumentFailure): DocumentRefusal {
  if (budgets.has(reason)) return { stop: "too_many_requests", reason };
  return { stop: transient ? "unavailable" : "client_document_invalid", reason };
}

/** Pure. @param client_id the URL that was fetched, exactly */
export function readDocument(
  client_id: string,
  hostname: string,
  document: JsonObject,
): Result<OAuthClient, DocumentRefusal> {
  const invalid = (reason: string) => err({ stop: "client_document_invalid", reason } as const);
  if (!Object.hasOwn(document, "client_id") || document["client_id"] !== client_id) {
    return invalid("document_client_id");
  }
  if (secretMembers.some((member) => Object.hasOwn(document, member))) return invalid("document_secret");
  const read = readMetadata(document, taken);
  if (!read.ok) return invalid(read.error.reason);
  const { name, redirect_uris, authentication, grant_types, jwks, jwks_uri } = read.value;
  // MCP requires the name besides the id and the redirect URIs.
  if (name === "") return invalid("document_client_name");
  return ok({
    id: client_id,
    kind: "document",
    name,
    domain: hostname,
    redirect_uris,
    authentication,
    keys: authentication === "private_key_jwt" ? keysOf(jwks, jwks_uri) : undefined,
    grant_types: new Set(grant_types),
    pre_approved: false,
    workloads: [],
  });
}

export const keysOf = (
  jwks: NonNullable<OAuthClient["keys"]>["jwks"] | undefined,
  jwks_uri: string | undefined,
): OAuthClient["keys"] => ({
  ...(jwks === undefined ? {} : { jwks }),
  ...(jwks_uri === undefined ? {} : { jwks_uri }),
});
