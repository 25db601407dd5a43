/**
 * What an administrator trusts a provider for no longer. Role rules are asked anew each time; this is what only a sign-in tells, so that
 * what former ones told must go.
 */
import { and, eq, sql } from "drizzle-orm";
import { openDatabase, users } from "../db/index.ts";
import { endProvider, endTokensOfProvider } from "./end-access.ts";
import type { ProviderOptions } from "./provider-options.ts";
import type { Visit } from "./visit.ts";

export interface Withdrawal {
  /** A domain less: of nobody it is known whether they are of one that is left. */
  readonly domains: boolean;
  /** Addresses without `email_verified` are verified no longer. */
  readonly emails: boolean;
  /** The claim that told the groups is another one. */
  readonly groups: boolean;
}

type Trusted = Pick<ProviderOptions, "domains" | "trusts_email" | "groups_claim">;

/** @returns undefined when nothing is withdrawn */
export function withdrawalOf(before: Trusted, after: Trusted): Withdrawal | undefined {
  const admitsAll = before.domains.length === 0;
  const withdrawal = {
    domains: after.domains.length > 0 && (admitsAll || before.domains.some((one) => !after.domains.includes(one))),
    emails: before.trusts_email && !after.trusts_email,
    groups: before.groups_claim !== after.groups_claim,
  };
  return Object.values(withdrawal).includes(true) ? withdrawal : undefined;
}

/**
 * Forgets it until the next sign-in. Access tokens end, since they hold addresses and groups as they were; of whom it is not known
 * whether they may still be here, sessions end as well, and the caller ends the grants.
 */
export async function withdraw(
  visit: Visit,
  provider_id: string,
  { domains, emails, groups }: Withdrawal,
): Promise<void> {
  const { platform, tenant } = visit;
  const now = platform.ports.clock.now();
  await openDatabase(platform.bindings.DB)
    .update(users)
    .set({
      ...(emails ? { email_verified: false } : {}),
      ...(groups ? { groups: "[]" } : {}),
      updated_at: sql`max(${now}, ${users.updated_at} + 1)`,
    })
    .where(and(eq(users.tenant_id, tenant.id), eq(users.provider_id, provider_id)));
  await (domains ? endProvider : endTokensOfProvider)(visit, provider_id);
}
