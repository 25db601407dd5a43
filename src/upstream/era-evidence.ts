/** What an answer says about the era of the server that gave it. What is inconclusive (401, 403, 5xx, silence) says nothing. */
import type { Failure } from "../errors.ts";
import type { Result } from "../ports.ts";
import { isObject, MODERN_VERSION, type RpcError } from "../protocol/index.ts";
import type { UpstreamAnswer } from "./call.ts";

/** Modern protocol errors: a server that answers with one of them speaks 2026-07-28, whatever the status. */
const modernErrors: ReadonlySet<number> = new Set([-32020, -32021, -32022]);

/** A server that supports other revisions only says so with a modern error, and is not modern to us. */
export function isModernError({ code, data }: RpcError): boolean {
  const supported = isObject(data) ? data["supported"] : undefined;
  return modernErrors.has(code) && (!Array.isArray(supported) || supported.includes(MODERN_VERSION));
}

/** Too busy, too slow or broken: a statement about now only. */
export const isOutage = (status: number): boolean => status >= 500 || status === 429 || status === 408;

/** Whether the failure of a probe is the server's clear answer, and not a credential, an outage or a lack of time. */
export const isEvidence = ({ code, reason }: Failure): boolean =>
  code === "upstream_invalid" || reason === "initialize_refused";

/** Refusals, before anything ran, of a server that is not of the era that we took it for. */
const refusalsOfAnotherEra: ReadonlySet<string | undefined> = new Set([
  "upstream_http_404",
  "upstream_http_405",
  "initialize_refused",
  // HTTP+SSE that is no longer there.
  "no_endpoint",
]);

/** A request that was refused for its revision, so that nothing of what was agreed on with the server holds. */
export function isAnotherEra(answered: Result<UpstreamAnswer, Failure>): boolean {
  if (!answered.ok) return refusalsOfAnotherEra.has(answered.error.reason);
  const { era, response } = answered.value;
  if (response.kind !== "error") return false;
  const { code } = response.error;
  // A legacy verdict, and a server that speaks 2026-07-28 only by now. From a modern one -32020 speaks of a tool's headers.
  return code === -32022 || (era === "legacy" && code === -32020);
}

/** The same, and what may also be an error of this one request: then the server is asked again, and no more. */
export function mayBeAnotherEra(answered: Result<UpstreamAnswer, Failure>): boolean {
  if (isAnotherEra(answered)) return true;
  if (!answered.ok || answered.value.response.kind !== "error" || answered.value.status !== 400) return false;
  const { code } = answered.value.response.error;
  // -32000 to -32019 belong to implementations of 2025: "not initialized", most often.
  return code <= -32000 && code > -32020;
}
