/**
 * The one decision, for lists and for calls. Deny by default: what no rule allows does not exist for the caller.
 * Pure: its input is everything that it knows.
 */

export interface Decision {
  readonly effect: "allow" | "deny";
  /** The rule behind it, as the audit log names it. */
  readonly policy: string;
  /** Stable; for audit only, never sent to the caller. */
  readonly reason: string;
}

export interface Question {
  readonly mode: "development" | "enterprise";
  /** The machine client that calls; undefined when the caller is none or no longer exists. */
  readonly client:
    | { readonly id: string; readonly enabled: boolean; readonly servers: ReadonlySet<string> }
    | undefined;
  /** The server that is asked for, by its id and never by an alias; undefined when there is none by that name. */
  readonly server: { readonly id: string; readonly enabled: boolean } | undefined;
}

const deny = (reason: string): Decision => ({ effect: "deny", policy: "default:deny", reason });

/** The visible rule of development mode; a rule like any other, not a way around the decision. */
const developmentRule: Decision = { effect: "allow", policy: "development:allow-all", reason: "development_mode" };

export function decide({ mode, client, server }: Question): Decision {
  if (server === undefined) return deny("unknown_server");
  if (!server.enabled) return deny("server_disabled");
  if (mode === "development") return developmentRule;
  if (client === undefined || !client.enabled) return deny("unknown_client");
  if (!client.servers.has(server.id)) return deny("not_on_allow_list");
  return { effect: "allow", policy: `allow-list:${client.id}`, reason: "on_allow_list" };
}
