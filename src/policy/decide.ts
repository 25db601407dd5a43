/**
 * The one decision, for lists and for calls. Deny by default: what no rule allows does not exist for the caller.
 * Pure: its input is everything that it knows.
 */
import { accessRule, type Access } from "./access.ts";
import { guestRule, misfitOf, type AgentRule, type Guest } from "./agent-rule.ts";

export interface Decision {
  readonly effect: "allow" | "deny";
  /** The rule behind it, as the audit log names it. */
  readonly policy: string;
  /** Stable; for audit only, never sent to the caller. */
  readonly reason: string;
}

export interface Reach {
  readonly mode: "development" | "enterprise";
  /** The registered client that calls; undefined when the caller is none, or one that registered itself. */
  readonly client:
    | { readonly id: string; readonly enabled: boolean; readonly servers: ReadonlySet<string> }
    | undefined;
  /** The person for whom the client calls; undefined when it calls for itself. */
  readonly user: { readonly groups: ReadonlySet<string> } | undefined;
  /** Who is neither of the two: a caller whom only a passthrough server takes. */
  readonly guest?: Guest | undefined;
  /**
   * The server of the endpoint, by its slug; undefined on the aggregate. A passthrough server does not exist there: the caller's
   * credential can be for one server only.
   */
  readonly endpoint?: string | undefined;
  /** The server that is asked for, by its id and never by an alias; undefined when there is none by that name. */
  readonly server: Target | undefined;
}

export interface Target {
  readonly id: string;
  readonly slug: string;
  readonly enabled: boolean;
  readonly access: Access;
  readonly agent_authentication: AgentRule;
}

export interface Question extends Reach {
  /** With the servers that the person chose for this client. */
  readonly user: { readonly groups: ReadonlySet<string>; readonly chosen: ReadonlySet<string> } | undefined;
}

const deny = (reason: string): Decision => ({ effect: "deny", policy: "default:deny", reason });

/** The visible rule of development mode; a rule like any other, not a way around the decision. */
const developmentRule: Decision = { effect: "allow", policy: "development:allow-all", reason: "development_mode" };

/** Whether this call is allowed now. */
export function decide(question: Question): Decision {
  const reached = reach(question);
  const { user, server } = question;
  if (reached.effect === "deny" || user === undefined || server === undefined) return reached;
  return user.chosen.has(server.id) ? reached : deny("not_chosen_by_user");
}

/** Whether the person, through this client, may choose the server at all: what the consent page lists. */
export function reach(question: Reach): Decision {
  const { mode, client, user, guest, endpoint, server } = question;
  if (server === undefined) return deny("unknown_server");
  if (!server.enabled) return deny("server_disabled");
  // Not a question of who calls, so it holds in development mode as well.
  if (server.agent_authentication.type === "passthrough" && endpoint !== server.slug) return deny("passthrough_only");
  if (mode === "development") return developmentRule;
  if (guest !== undefined) return reachAsGuest(guest, server);
  if (client !== undefined && !client.enabled) return deny("unknown_client");
  const misfit = misfitOf(server.agent_authentication, user !== undefined);
  if (misfit !== undefined) return deny(misfit);
  return reachAsKnown(question, server);
}

function reachAsGuest(guest: Guest, server: Target): Decision {
  const rule = guest.server_id === server.id ? guestRule(server.agent_authentication, guest) : undefined;
  return rule === undefined ? deny("guest_not_admitted") : { effect: "allow", policy: rule, reason: "guest_admitted" };
}

function reachAsKnown({ client, user }: Reach, server: Target): Decision {
  const isOnList = client?.servers.has(server.id);
  if (user === undefined) {
    if (client === undefined) return deny("unknown_client");
    return isOnList === true
      ? { effect: "allow", policy: `allow-list:${client.id}`, reason: "on_allow_list" }
      : deny("not_on_allow_list");
  }
  const rule = accessRule(server.access, user.groups);
  if (rule === undefined) return deny("user_not_admitted");
  // The allow-list of a registered client is a limit, whoever it acts for.
  if (isOnList === false) return deny("not_on_allow_list");
  return { effect: "allow", policy: rule, reason: "user_admitted" };
}
