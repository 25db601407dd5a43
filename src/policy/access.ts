/** Which people may reach a server, as its administrator set it. Nobody, until somebody is named. */
import * as z from "zod";
import { limits } from "../limits.ts";

/** A group as the identity provider names it in the groups claim: an id or a name, compared as it is. */
export const groupSchema = z
  .string()
  .min(1)
  .max(limits.groupName_chars)
  .regex(/^\P{Cc}+$/u, "no control characters");

export const accessSchema = z.strictObject({
  /** Every person who can sign in to the tenant. */
  everyone: z.boolean().default(false),
  groups: z.array(groupSchema).max(limits.groupsPerServer_count).default([]),
});

export type Access = z.infer<typeof accessSchema>;

export const nobody: Access = { everyone: false, groups: [] };

/** @returns the rule that admits a person with these groups, as the audit log names it; undefined when none does */
export function accessRule(access: Access, groups: ReadonlySet<string>): string | undefined {
  if (access.everyone) return "server-access:everyone";
  return access.groups.some((group) => groups.has(group)) ? "server-access:group" : undefined;
}
