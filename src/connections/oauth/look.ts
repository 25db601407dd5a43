/**
 * Looks for metadata. It is fetched for each link and not kept: links are rare, a changed authorization server must be seen at the next
 * one, and which of several places answers with what decides about the next step, so a kept document would hide it.
 */
import { limits } from "../../limits.ts";
import { ok, type JsonObject, type Result } from "../../ports.ts";
import { documentRequest, isJsonType, isTransientStatus, readJson } from "../../trust/index.ts";
import type { Base, TokenFailure } from "../types.ts";
import { passing, unanswered, wrong } from "./failures.ts";

/** Whose metadata: of an authorization server, or of the resource, which is the server. Reasons begin with it. */
type Looked = "metadata" | "resource";

/**
 * As `documentRequest`.
 * @returns undefined when there is no such document here: another status, another type, a redirect
 */
export async function look(
  { fetch }: Pick<Base, "fetch">,
  url: string,
  what: Looked,
): Promise<Result<JsonObject | undefined, TokenFailure>> {
  const answered = await fetch(documentRequest(url, limits.discoveryDocument_bytes));
  if (!answered.ok) {
    if (answered.error.reason?.startsWith("redirect") === true) return ok(undefined);
    return unanswered(what, answered.error);
  }
  const { status, contentType } = answered.value;
  if (status !== 200 || !isJsonType(contentType)) {
    await answered.value.discard();
    return isTransientStatus(status) ? passing(`${what}_status`) : ok(undefined);
  }
  const text = await answered.value.text();
  if (!text.ok) return unanswered(what, text.error);
  const json = readJson(new TextEncoder().encode(text.value));
  return json.ok ? json : wrong(`${what}_${json.error}`);
}

/**
 * The first of these places that has a document.
 * @returns undefined when none has; the failure of one that could not be asked only when no other has it
 */
export async function lookIn(
  base: Pick<Base, "fetch">,
  urls: readonly string[],
  what: Looked,
): Promise<Result<JsonObject | undefined, TokenFailure>> {
  let nothing: Result<undefined, TokenFailure> = ok(undefined);
  for (const url of urls) {
    const looked = await look(base, url, what);
    if (looked.ok && looked.value !== undefined) return looked;
    if (!looked.ok && looked.error.kind !== "passing") return looked;
    if (!looked.ok) nothing = looked;
  }
  return nothing;
}
