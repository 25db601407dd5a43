/** From what the provider says of a person to what the tenant makes of it. Pure. */
import type { Snapshot } from "../tenant/index.ts";
import { limits } from "../limits.ts";
import type { ProviderOptions, RoleRules } from "./provider-options.ts";

export const roles = ["administrator", "auditor", "member"] as const;
export type Role = (typeof roles)[number];

export interface PersonFacts {
  readonly groups: readonly string[];
  readonly email: string | null;
  readonly email_verified: boolean;
}

/**
 * @param email verified, in any case; undefined when there is none
 * @returns undefined when no rule admits the person
 */
function roleOf(rules: RoleRules, groups: readonly string[], email: string | undefined): Role | undefined {
  const lower = email?.toLowerCase();
  return roles.find((role) => {
    const rule = rules[role];
    if ("everyone" in rule && rule.everyone) return true;
    if (rule.groups.some((group) => groups.includes(group))) return true;
    return lower !== undefined && rule.emails.includes(lower);
  });
}

/**
 * The role by the rules as they are now, from what is known of the person since the last sign-in. The stored role is that of its time.
 * @returns undefined when no rule admits the person any more
 */
export function currentRole(
  { roles: rules }: Pick<ProviderOptions, "roles">,
  { groups, email, email_verified }: PersonFacts,
): Role | undefined {
  return roleOf(rules, groups, email_verified ? (email ?? undefined) : undefined);
}

/** Groups that mean something here: those of the provider's role rules and of the access rules of servers. */
export function namedGroups({ roles: rules }: ProviderOptions, { servers }: Pick<Snapshot, "servers">): Set<string> {
  const named = new Set<string>();
  for (const role of roles) for (const group of rules[role].groups) named.add(group);
  for (const { access } of servers.values()) for (const group of access.groups) named.add(group);
  return named;
}

export interface HeldGroups {
  readonly groups: readonly string[];
  /** The provider has more groups than it tells: then none is believed, since a part could be any part. */
  readonly overage: boolean;
}

const none = { groups: [], overage: false };

/**
 * The groups of a claim that the tenant names. Others are not kept: providers list thousands.
 * @see OpenID Connect Core 1.0 section 5.6.2 (`_claim_names`), which Entra uses past 200 groups
 */
export function heldGroups(
  claims: Readonly<Record<string, unknown>>,
  claim: string,
  named: ReadonlySet<string>,
): HeldGroups {
  const elsewhere = claims["_claim_names"];
  const isElsewhere = typeof elsewhere === "object" && elsewhere !== null && Object.hasOwn(elsewhere, claim);
  if (isElsewhere || claims["hasgroups"] === true) return { groups: [], overage: true };
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  const listed: readonly unknown[] = typeof value === "string" ? [value] : Array.isArray(value) ? value : [];
  if (listed.length === 0) return none;
  if (listed.length > limits.groupsClaim_count) return { groups: [], overage: true };
  const held = new Set(listed.filter((group): group is string => typeof group === "string" && named.has(group)));
  return { groups: [...held].sort().slice(0, limits.groupsPerUser_count), overage: false };
}
