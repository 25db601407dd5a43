/** The states of a connection that people and administrators see. */
import type { Server } from "../registry/index.ts";
import type { ConnectionFacts } from "../vault/index.ts";
import { fitOf, isGivenTo } from "./fit.ts";
import { asksToLink } from "./remarks.ts";

export const connectionStates = ["linked", "needs_reauth", "orphaned", "needs_update"] as const;

/**
 * - `needs_reauth`: also while the server refuses it, or its provider has lost our registration, although calls go on trying it;
 * - `orphaned`: its server is gone;
 * - `needs_update`: its server changed, so that it is not sent there.
 *
 * All but `linked` ask for a new link.
 */
export type ConnectionState = (typeof connectionStates)[number];

/** Targets that are no servers: stored credentials, and the tokens of the sign-in. */
export const isServerTarget = (target: string): boolean => target !== "idp" && !target.startsWith("credential:");

/**
 * @param server the one that the connection is for; undefined when there is none any more
 * @param uses of a stored credential: the servers that it is to go to, as far as the person can reach them
 */
export function stateOf(
  facts: Pick<ConnectionFacts, "state" | "reason" | "target" | "account" | "fit">,
  server: Server | undefined,
  uses: readonly Pick<Server, "url">[] = [],
): ConnectionState {
  if (!isServerTarget(facts.target)) {
    const isForAll = uses.every((one) => isGivenTo(facts.fit, one));
    return facts.state === "linked" && !isForAll ? "needs_update" : facts.state;
  }
  if (server === undefined) return "orphaned";
  if (facts.state === "needs_reauth") return "needs_reauth";
  // What a header's token is made for is its recipe; Gatehouse gets another by itself when that changes.
  if (!facts.account.startsWith("header:") && facts.fit !== fitOf(server)) return "needs_update";
  return asksToLink(facts.reason) ? "needs_reauth" : "linked";
}
