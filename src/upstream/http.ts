/** One HTTP request to an upstream MCP server: authentication, headers, bounds. Both eras send through here. */
import type { Excuse, SafeRequest, SafeResponse } from "../egress/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { afterAnswer, afterRefusal, authenticationFor, type Authentication } from "../outbound/index.ts";
import { implementation } from "../platform.ts";
import { err, type Result } from "../ports.ts";
import type { Target, UpstreamContext } from "./call.ts";

export interface Sending {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly total_ms: number;
  readonly mayBeSilent?: boolean;
  /** Times in which the server waits for us. */
  readonly excuse?: Excuse;
  readonly signal?: AbortSignal;
  /** Where to, if not to the server's own URL. Of the same origin, since it gets the server's credential. */
  readonly url?: URL;
}

export interface Post extends Sending {
  readonly body: string;
}

const userAgent = `Gatehouse/${implementation.version}`;

/**
 * @returns the upstream's response whatever its status, except that its 401 and 403 become `upstream_credential`, or `link_needed`
 *   where a person can help: they concern the credential that Gatehouse added, never the caller's at Gatehouse
 */
export function post(context: UpstreamContext, server: Target, request: Post): Promise<Result<SafeResponse, Failure>> {
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  return send(context, server, "POST", headers, request);
}

/** Asks for an event stream: that of a session, one to take up again, or one of HTTP+SSE. Failures as those of `post`. */
export function get(
  context: UpstreamContext,
  server: Target,
  request: Sending,
): Promise<Result<SafeResponse, Failure>> {
  return send(context, server, "GET", { accept: "text/event-stream" }, request);
}

/** Ends a session. Failures as those of `post`. */
export function del(
  context: UpstreamContext,
  server: Target,
  request: Sending,
): Promise<Result<SafeResponse, Failure>> {
  return send(context, server, "DELETE", { accept: "application/json" }, request);
}

/**
 * A refused credential is renewed once, and the request sent once more: a server that answers 401 or 403 did not run it.
 * @see RFC 6750 section 3.1
 */
async function send(
  context: UpstreamContext,
  server: Target,
  method: SafeRequest["method"],
  ownHeaders: Record<string, string>,
  request: Sending & { readonly body?: string },
): Promise<Result<SafeResponse, Failure>> {
  const added = await authenticationFor(context, server);
  if (!added.ok) return added;
  const once = (authentication: Authentication) =>
    sendWith(context, server, method, ownHeaders, request, authentication);
  const first = await once(added.value);
  const refused = await refusalOf(first);
  if (refused === undefined) {
    if (first.ok) afterAnswer(context, added.value, first.value.status);
    return first;
  }
  const renewed = await afterRefusal(context, server, added.value, refused);
  if (!renewed.ok) return renewed;
  if (renewed.value === undefined) return err(credentialRefused(refused));
  const second = await once(renewed.value);
  const again = await refusalOf(second);
  if (again === undefined) return second;
  // A new one is refused as well: what is left is that a person connects the account anew, maybe at another provider.
  const last = await afterRefusal(context, server, renewed.value, again);
  return last.ok ? err(credentialRefused(again)) : last;
}

interface Refusal {
  readonly status: 401 | 403;
  readonly headers: Headers;
}

/** @returns undefined for every other answer; the answer itself is given up */
async function refusalOf(answered: Result<SafeResponse, Failure>): Promise<Refusal | undefined> {
  if (!answered.ok) return undefined;
  const { status, headers } = answered.value;
  if (status !== 401 && status !== 403) return undefined;
  await answered.value.discard();
  return { status, headers };
}

const credentialRefused = ({ status }: Refusal): Failure =>
  failure("upstream_credential", undefined, { reason: `upstream_http_${status}` });

function sendWith(
  context: UpstreamContext,
  server: Target,
  method: SafeRequest["method"],
  ownHeaders: Record<string, string>,
  request: Sending & { readonly body?: string },
  authentication: Authentication,
): Promise<Result<SafeResponse, Failure>> {
  for (const { key, live } of authentication.proofs) if (key.user_id !== "") context.used.add(live.connection_id);
  const headers = new Headers({ ...ownHeaders, "user-agent": userAgent });
  for (const [name, value] of authentication.headers) headers.set(name, value);
  // The protocol's own headers cannot be set by anybody's configuration, nor by a header of the caller.
  for (const [name, value] of [...Object.entries(ownHeaders), ...request.headers]) headers.set(name, value);
  return context.fetch({
    url: withQuery(request.url?.href ?? server.url, authentication.query),
    method,
    headers,
    ...(request.body === undefined ? {} : { body: request.body }),
    signal: request.signal ?? context.signal,
    idle_ms: request.mayBeSilent === true ? request.total_ms : Math.min(server.timeout_ms, request.total_ms),
    total_ms: request.total_ms,
    ...(request.excuse === undefined ? {} : { excuse: request.excuse }),
    body_bytes: limits.upstreamResponse_bytes,
    stream_bytes: limits.upstreamStream_bytes,
    redirects: "refuse",
  });
}

function withQuery(url: string, query: readonly (readonly [string, string])[]): string {
  if (query.length === 0) return url;
  const target = new URL(url);
  for (const [name, value] of query) target.searchParams.set(name, value);
  return target.href;
}

/** Gives an answer up for its status. */
export async function refusedStatus(response: SafeResponse): Promise<Failure> {
  await response.discard();
  return failure("upstream_refused", undefined, { reason: `upstream_http_${response.status}` });
}
