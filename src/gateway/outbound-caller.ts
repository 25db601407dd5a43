/** Who stands behind a request to an upstream. */
import { holdsOwnToken, mayUseOrganisation, ownIssuers } from "../admission/index.ts";
import { callerUser, type Caller } from "../outbound/index.ts";
import type { Exchange } from "./exchange.ts";

/** The one person of development mode, where nobody signs in. */
const developer = { id: "development" };

export function callerOf(
  exchange: Pick<Exchange, "principal" | "headers" | "snapshot" | "endpoint" | "tenant" | "platform">,
): Caller {
  const { principal, headers, snapshot, endpoint, tenant, platform } = exchange;
  const known = principal.user === undefined ? undefined : callerUser(principal.user);
  const user = principal.kind === "development" ? developer : known;
  const server = endpoint.slug === undefined ? undefined : snapshot.servers.get(endpoint.slug);
  return {
    agent: principal.agent,
    ...(user === undefined ? {} : { user }),
    mayUseOrganisation: server === undefined || mayUseOrganisation(principal, server),
    // Made when somebody asks: few servers get any header of their callers.
    get inbound() {
      const issuers = ownIssuers(platform.configuration, tenant.origin);
      return inboundOf(headers, issuers, principal.passthrough?.authorization);
    },
    ...(principal.holder === undefined ? {} : { holder: principal.holder }),
  };
}

/**
 * `Authorization` is a credential of Gatehouse, which goes nowhere, but for a caller of a passthrough server. No other header carries
 * one of ours further either.
 */
function inboundOf(headers: Headers, issuers: ReadonlySet<unknown>, own: string | null | undefined): Headers {
  const inbound = new Headers();
  for (const [name, value] of headers) {
    if (name === "authorization" || name === "x-gatehouse-token" || holdsOwnToken(value, issuers)) continue;
    inbound.append(name, value);
  }
  if (typeof own === "string") inbound.set("authorization", own);
  return inbound;
}
