/** Callers whom only a passthrough server takes, and what holds for them after admission. */
import type { Server } from "../registry/index.ts";
import type { Snapshot } from "../tenant/index.ts";
import { ruleOf } from "./passthrough.ts";
import type { Passthrough, Principal } from "./principal.ts";

export interface Guest {
  readonly kind: "anonymous" | "passthrough";
  /** The only server that there is for them. */
  readonly server_id: string;
}

/** @returns undefined for whoever is known */
export function guestOf({ kind, passthrough }: Principal): Guest | undefined {
  if (kind !== "anonymous" && kind !== "passthrough") return undefined;
  // A guest of no server: there is none for them.
  return { kind, server_id: passthrough?.server_id ?? "" };
}

/** Whether the organisation's credential may be added to a call of this principal to this server. */
export function mayUseOrganisation(principal: Principal, server: Pick<Server, "id" | "agent_authentication">): boolean {
  const guest = guestOf(principal);
  if (guest === undefined) return true;
  const rule = ruleOf(server);
  if (rule === undefined || guest.server_id !== server.id) return false;
  // A JWT that was asked for is the check; without one an administrator has to say so for everybody.
  return guest.kind === "passthrough"
    ? rule.jwt !== undefined
    : rule.jwt === undefined && rule.anonymous === "allow_with_credential";
}

/** Whether the rule of the server, under which the caller was admitted, is still the same. */
export function stillPassthrough({ server_id, slug, rule }: Passthrough, snapshot: Snapshot): boolean {
  const server = snapshot.servers.get(slug);
  if (server === undefined || server.id !== server_id || !server.enabled) return false;
  const now = server.agent_authentication;
  return now === rule || JSON.stringify(now) === JSON.stringify(rule);
}
