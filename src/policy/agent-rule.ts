/** Who may call a server by the way they prove who they are, as its administrator set it. */

/** `AgentAuthentication` of the registry, as far as a decision needs it. */
export type AgentRule =
  | { readonly type: "any" | "interactive" | "machine" }
  | {
      readonly type: "passthrough";
      readonly anonymous: "deny" | "allow" | "allow_with_credential";
      /** That it is there: whether a token fulfils it was seen at admission. */
      readonly jwt?: object | undefined;
    };

/** A caller of one passthrough server who sent no token of Gatehouse. */
export interface Guest {
  /** `passthrough`: with a JWT of their own that fulfils the server's rule. */
  readonly kind: "anonymous" | "passthrough";
  /** The only server that there is for them. */
  readonly server_id: string;
}

/** @returns why a caller who is known does not fit, stable; undefined when they do */
export function misfitOf(rule: AgentRule, isPerson: boolean): string | undefined {
  if (rule.type === "interactive" && !isPerson) return "people_only";
  return rule.type === "machine" && isPerson ? "machines_only" : undefined;
}

/** @returns the rule that lets a guest in, as the audit log names it; undefined when none does */
export function guestRule(rule: AgentRule, { kind }: Guest): string | undefined {
  if (rule.type !== "passthrough") return undefined;
  // Where a JWT is asked for, nobody is let in without one, whatever else the rule says.
  if (rule.jwt !== undefined) return kind === "passthrough" ? "passthrough:jwt" : undefined;
  return kind === "anonymous" && rule.anonymous !== "deny" ? "passthrough:anonymous" : undefined;
}
