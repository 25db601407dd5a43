/** One POST to an upstream MCP endpoint: authentication, headers, bounds. Both eras send through here. */
import type { SafeResponse } from "../../egress/index.ts";
import { failure, type Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { authenticationFor } from "../../outbound/index.ts";
import { err, ok, type Result } from "../../ports.ts";
import type { Target, UpstreamContext } from "./call.ts";

export interface Post {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly total_ms: number;
  readonly mayBeSilent?: boolean;
  readonly signal?: AbortSignal;
}

const userAgent = "Gatehouse/0.1";

/**
 * @returns the upstream's response whatever its status, except that its 401 and 403 become `upstream_credential`: they
 *   concern the credential that Gatehouse added, never the caller's
 */
export async function post(
  context: UpstreamContext,
  server: Target,
  request: Post,
): Promise<Result<SafeResponse, Failure>> {
  const authentication = await authenticationFor(
    context.vault,
    context.platform.ports.clock,
    context.tenant.id,
    server,
  );
  if (!authentication.ok) return authentication;

  const headers = new Headers({
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "user-agent": userAgent,
  });
  for (const [name, value] of request.headers) headers.set(name, value);
  for (const [name, value] of authentication.value.headers) headers.set(name, value);

  const response = await context.fetch({
    url: withQuery(server.url, authentication.value.query),
    method: "POST",
    headers,
    body: request.body,
    signal: request.signal ?? context.signal,
    idle_ms: request.mayBeSilent === true ? request.total_ms : Math.min(server.timeout_ms, request.total_ms),
    total_ms: request.total_ms,
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
