/** Tries a credential of a person at its server, before it is kept. */
import type { Failure } from "../errors.ts";
import type { Visit } from "../login/index.ts";
import type { Result } from "../ports.ts";
import type { Server } from "../registry/index.ts";
import { callerUser } from "../outbound/index.ts";
import { tryCredential as tryAtServer } from "../upstream/index.ts";
import type { HeldCredential } from "../vault/index.ts";
import { ownInfo } from "./exchange.ts";

/** @returns `upstream_credential` when the server refuses it; failures of the server as they are: then nothing is known */
export function tryCredential(
  visit: Visit,
  server: Server,
  trial: HeldCredential,
  person: { readonly id: string; readonly email: string | null; readonly email_verified: boolean },
): Promise<Result<void, Failure>> {
  const { platform, tenant, snapshot, vault, fetch, recorder, source } = visit;
  const context = {
    ...{ platform, tenant, snapshot, vault, fetch, recorder, source, trial },
    caller: { agent: "console", user: callerUser(person), mayUseOrganisation: true, inbound: new Headers() },
    used: new Set<string>(),
    signal: new AbortController().signal,
    id: platform.ports.random.uuid(),
    era: "modern" as const,
    owner: undefined,
    client: { info: ownInfo, capabilities: {} },
  };
  return tryAtServer(context, server);
}
