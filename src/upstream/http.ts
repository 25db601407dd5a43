/** One HTTP request to an upstream MCP server: authentication, headers, bounds. Both eras send through here. */
import type { Excuse, SafeRequest, SafeResponse } from "../egress/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { authenticationFor } from "../outbound/index.ts";
import { implementation } from "../platform.ts";
import { err, ok, type Result } from "../ports.ts";
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
 * @returns the upstream's response whatever its status, except that its 401 and 403 become `upstream_credential`: they
 *   concern the credential that Gatehouse added, never the caller's
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

async function send(
  context: UpstreamContext,
  server: Target,
  method: SafeRequest["method"],
  ownHeaders: Record<string, string>,
  request: Sending & { readonly body?: string },
): Promise<Result<SafeResponse, Failure>> {
  const { clock } = context.platform.ports;
  const authentication = await authenticationFor(context.vault, clock, context.tenant.id, server);
  if (!authentication.ok) return authentication;

  const headers = new Headers({ ...ownHeaders, "user-agent": userAgent });
  for (const [name, value] of request.headers) headers.set(name, value);
  for (const [name, value] of authentication.value.headers) headers.set(name, value);

  const response = await context.fetch({
    url: withQuery(request.url?.href ?? server.url, authentication.value.query),
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
  if (!response.ok) return response;
  if (response.value.status === 401 || response.value.status === 403) {
    await response.value.discard();
    return err(failure("upstream_credential", undefined, { reason: `upstream_http_${response.value.status}` }));
  }
  return ok(response.value);
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
