/**
 * The only way out. Every request of the program to another host, for whatever purpose, passes the address rule, a byte cap, two
 * deadlines, the redirect rule and the connection budget here, so that no caller can forget one.
 */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Ports, type Result } from "../ports.ts";
import { checkUrl, type EgressPolicy } from "./address.ts";
import type { ConnectionBudget } from "./connections.ts";
import { EgressAbort, Exchange, type Deadlines } from "./exchange.ts";
import { boundedResponse, type BodyCaps, type SafeResponse } from "./response.ts";
import { cancelBody } from "./source.ts";
import { assertWireHeaders, mayHoldCredential, viaHeader } from "./wire-headers.ts";

export interface SafeRequest extends Deadlines, BodyCaps {
  readonly url: string;
  readonly method: "GET" | "POST" | "DELETE";
  /** Complete, and only what is meant for the upstream. */
  readonly headers: Headers;
  readonly body?: string;
  /** Aborts the request, and the body while it is read: `cancelled`. */
  readonly signal?: AbortSignal;
  /**
   * "refuse": every 3xx is a failure; mandatory with a credential. "same-origin": up to `limits.redirectHops_count` hops within
   * the origin, each checked like the first URL; a request whose headers may hold a credential is refused all the same.
   */
  readonly redirects: "refuse" | "same-origin";
}

export type SafeFetch = (request: SafeRequest) => Promise<Result<SafeResponse, Failure>>;

const unreachable = (): Failure => failure("upstream_unreachable", undefined, { reason: "network_error" });

const notHttp = (): Failure =>
  failure("upstream_invalid", "The upstream server's answer is not an HTTP answer.", {
    reason: "informational_status",
  });

const redirected = (reason: string): Failure =>
  failure("upstream_invalid", "The upstream server redirects, which is not followed. Use its final URL.", { reason });

function wireRequest(url: URL, request: SafeRequest, signal: AbortSignal): Request {
  const wire = new Request(url, {
    method: request.method,
    headers: request.headers,
    ...(request.body === undefined ? {} : { body: request.body }),
    // The platform would follow up to 20 hops to any origin and take all headers but `Authorization` along.
    redirect: "manual",
    signal,
  });
  wire.headers.set("via", viaHeader);
  return wire;
}

/**
 * One request on the wire. The error of the platform is dropped: refused, reset, TLS and DNS errors have no stable type there,
 * and their text may hold the URL with a key in it.
 */
function send(ports: Ports, request: Request, exchange: Exchange): Promise<Result<Response, Failure>> {
  // The caller may have left, or the deadline passed, between the grant of a connection and here.
  if (exchange.abort !== undefined) return Promise.resolve(err(exchange.abort.failure));
  exchange.awaitUpstream();
  return new Promise((resolve) => {
    exchange.onEnd((abort) => resolve(err(abort?.failure ?? unreachable())));
    ports.network(request).then(
      (response) => {
        exchange.heardUpstream();
        // An answer that comes after the end would hold its connection until somebody reads it.
        if (exchange.signal.aborted) cancelBody(response);
        else resolve(ok(response));
      },
      () => exchange.fail(unreachable()),
    );
  });
}

/** Where a redirect leads, if this request may follow it. */
function nextUrl(request: SafeRequest, from: URL, response: Response, policy: EgressPolicy): Result<URL, Failure> {
  if (request.redirects === "refuse") return err(redirected("redirect"));
  if (mayHoldCredential(request.headers)) return err(redirected("redirect_with_credential"));
  const keepsMethod = response.status === 307 || response.status === 308;
  // RFC 9110 section 15.4: the other three may turn a POST into a GET, which is not the request that was decided on.
  if (!keepsMethod && request.method !== "GET") return err(redirected("redirect_changes_method"));
  const location = response.headers.get("location");
  const target = location === null ? null : URL.parse(location, from);
  if (target === null) return err(redirected("redirect_without_location"));
  target.hash = "";
  if (target.origin !== from.origin) return err(redirected("redirect_to_other_origin"));
  return checkUrl(target.href, policy);
}

const followable: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Makes the function that calls other hosts.
 * @param ports the platform; its `network` is called nowhere else
 * @param policy which addresses are allowed
 * @param budget connections of this invocation; a slot is held from before the call until the response headers are there
 * @returns a function whose failures are `not_allowed_upstream`, `upstream_unreachable`, `upstream_timeout`,
 *   `upstream_too_large`, `upstream_invalid` (redirects among them) and `cancelled`. It never retries. It throws when a header
 *   is set that must not be on the wire.
 */
export function createSafeFetch(ports: Ports, policy: EgressPolicy, budget?: ConnectionBudget): SafeFetch {
  async function exchangeWith(
    url: URL,
    request: SafeRequest,
    exchange: Exchange,
  ): Promise<Result<SafeResponse, Failure>> {
    if (budget === undefined) return follow(url, request, exchange);
    const release = await budget.acquire(exchange.signal);
    try {
      return await follow(url, request, exchange);
    } finally {
      release();
    }
  }

  async function follow(url: URL, request: SafeRequest, exchange: Exchange): Promise<Result<SafeResponse, Failure>> {
    let target = url;
    for (let hop_count = 0; hop_count <= limits.redirectHops_count; hop_count += 1) {
      const sent = await send(ports, wireRequest(target, request, exchange.signal), exchange);
      if (!sent.ok) return sent;
      const response = sent.value;
      if (response.status >= 200 && (response.status < 300 || response.status >= 400)) {
        return boundedResponse(response, exchange, request);
      }
      cancelBody(response);
      if (response.status < 200) return err(notHttp());
      if (!followable.has(response.status)) return err(redirected("redirect_status"));
      const next = nextUrl(request, target, response, policy);
      if (!next.ok) return next;
      target = next.value;
    }
    return err(redirected("redirect_limit"));
  }

  return async function safeFetch(request) {
    assertWireHeaders(request.headers);
    const url = checkUrl(request.url, policy);
    if (!url.ok) return url;
    const exchange = new Exchange(ports.clock, request, request.signal);
    let answered = false;
    try {
      const answer = await exchangeWith(url.value, request, exchange);
      answered = answer.ok;
      return answer;
    } catch (thrown) {
      if (thrown instanceof EgressAbort) return err(thrown.failure);
      throw thrown;
    } finally {
      if (!answered) exchange.end();
    }
  };
}
