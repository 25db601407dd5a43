/** For whom a server answers: what one account or caller is shown must not be shown to another. */
import type { Failure } from "../errors.ts";
import { ok, type Result } from "../ports.ts";
import { isPersonal, type OutboundHeader, type Server } from "../registry/index.ts";
import { sha256 } from "../sha256.ts";
import { authenticationFor } from "./authenticate.ts";
import type { OutboundContext } from "./context.ts";
import { forwardedHeaders } from "./forwarded.ts";
import { namesSet } from "./names-set.ts";

const everybody = ok("");

/** Sources of a header that are the same for everybody; a value of the administrator's may name the caller. */
const shared: ReadonlySet<OutboundHeader["source"]> = new Set(["service_token"]);

/**
 * A name that is the same for as long as a server answers for the same account and caller; empty where it answers for everybody alike.
 * @returns failures of `authenticationFor`
 */
export async function holderOf(context: OutboundContext, server: Server): Promise<Result<string, Failure>> {
  const takesHeaders =
    server.agent_authentication.type === "passthrough" || (server.inbound_headers.forward ?? []).length > 0;
  const tellsCaller = server.outbound_headers.some(({ source }) => !shared.has(source));
  if (!takesHeaders && !tellsCaller && !isPersonal(server.authentication)) return everybody;
  const added = await authenticationFor(context, server);
  if (!added.ok) return added;
  const accounts = added.value.proofs.flatMap(({ key, live }) => (key.user_id === "" ? [] : [live.connection_id]));
  const caller = tellsCaller ? [context.caller.user?.id ?? "", context.caller.agent] : [];
  const brought = takesHeaders ? (context.caller.holder ?? (await forwardedName(context, server))) : "";
  return ok(await sha256(JSON.stringify([accounts, caller, brought])));
}

/** Keyed, since what goes on may be a credential that can be guessed. */
async function forwardedName({ vault, tenant, caller }: OutboundContext, server: Server): Promise<string> {
  const headers = forwardedHeaders(server, caller.inbound, namesSet(server));
  if (!headers.ok || headers.value.length === 0) return "";
  return vault.digest(tenant.id, JSON.stringify(["forwarded", headers.value]));
}
