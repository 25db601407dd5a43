/** What goes on the wire upstream so that the server knows Gatehouse, and what it is told of the caller. */
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import type { Server } from "../registry/index.ts";
import { appAuthentication } from "./app-authentication.ts";
import type { OutboundContext } from "./context.ts";
import { forwardedHeaders } from "./forwarded.ts";
import type { Work } from "./live.ts";
import { namesSet } from "./names-set.ts";
import { header, joined, nothing, type Authentication } from "./part.ts";
import { additionalHeader } from "./recipes.ts";

/**
 * Everything that is added to a request: headers of the caller that may go on, then app authentication, then the additional headers.
 * Gatehouse's own win, since no header of the caller is among the first that has a name of theirs.
 * @returns `link_needed` where a person has to connect an account (data for `mintLink`), `vault_sealed`, `unavailable`, or
 *   `upstream_credential` with a sentence that says who can do what
 */
export function authenticationFor(context: OutboundContext, server: Server): Promise<Result<Authentication, Failure>> {
  return authenticationAgain({ context, server, rejected: new Map() });
}

/** The same after the server refused some of it. */
export async function authenticationAgain(work: Work): Promise<Result<Authentication, Failure>> {
  const { context, server } = work;
  if (usesVault(server) && context.snapshot.settings.vault_sealed) {
    return err(failure("vault_sealed", undefined, { reason: "vault_sealed" }));
  }
  const forwarded = forwardedOf(work);
  if (!forwarded.ok) return forwarded;
  const app = await appAuthentication(work);
  if (!app.ok) return app;
  const parts = [forwarded.value, app.value];
  for (const recipe of server.outbound_headers) {
    const added = await additionalHeader(work, recipe);
    if (!added.ok) return added;
    parts.push(added.value);
  }
  return ok(joined(parts));
}

/** Whether anything that is added was ever sealed. */
function usesVault({ authentication, outbound_headers }: Server): boolean {
  if (authentication.type !== "none" && authentication.type !== "passthrough") return true;
  return outbound_headers.some(({ source }) => source !== "caller_identity" && source !== "caller_assertion");
}

/** @see requirement A6 for `authorization`: the caller's own, where no credential of Gatehouse stands there */
function forwardedOf({ context, server }: Work): Result<Authentication, Failure> {
  const { agent_authentication, inbound_headers } = server;
  const passes = agent_authentication.type === "passthrough";
  // Few servers get any: the headers of the request are not looked at for the others.
  if (!passes && (inbound_headers.forward ?? []).length === 0) return ok(nothing);
  const { inbound } = context.caller;
  const set = namesSet(server);
  const forwarded = forwardedHeaders(server, inbound, set);
  if (!forwarded.ok) return forwarded;
  const headers = { ...nothing, headers: forwarded.value };
  const own = passes && !set.has("authorization") ? inbound.get("authorization") : null;
  if (own === null) return ok(headers);
  const added = header(server, "authorization", own);
  return added.ok ? ok(joined([headers, added.value])) : added;
}
