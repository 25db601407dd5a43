/** From verified claims to a user of the tenant, made at the first sign-in. */
import { openDatabase } from "../db/index.ts";
import { err, ok, type Result } from "../ports.ts";
import type { SignInFailure } from "./failures.ts";
import { groupsClaimOf, isVerified, readIdentity, type VerifiedClaims } from "./identity.ts";
import type { StoredProvider } from "./providers.ts";
import { currentRole, heldGroups, namedGroups } from "./roles.ts";
import { usersRepository, type User } from "./users.ts";
import type { Visit } from "./visit.ts";

/**
 * Which claims these are. A sign-in tells everything, so that what is absent is gone: a person without the groups claim has no
 * groups. An identity assertion (ID-JAG) is brief: what it leaves out stays as the last sign-in told it.
 */
export type ClaimsKind = "sign_in" | "assertion";

/**
 * Admits a person by the provider's role rules, or refuses. Deny by default: who matches no rule is nobody here.
 * @param claims of `provider`: their signature, issuer and audience are verified by the caller
 */
export async function admitUser(
  visit: Visit,
  provider: StoredProvider,
  claims: VerifiedClaims,
  kind: ClaimsKind = "sign_in",
): Promise<Result<User, SignInFailure>> {
  const { platform, tenant, snapshot } = visit;
  const { clock, random } = platform.ports;
  if (!provider.enabled) return err("provider_unavailable");
  const repository = usersRepository(openDatabase(platform.bindings.DB), tenant.id);
  const subject = claims["sub"];
  const known =
    kind === "assertion" && typeof subject === "string"
      ? await repository.byIdentity(provider.issuer, subject)
      : undefined;
  const told = known === undefined ? claims : completed(provider, known, claims);
  const identity = readIdentity(provider, told);
  if (!identity.ok) return identity;
  const { groups } = heldGroups(told, groupsClaimOf(provider), namedGroups(provider.options, snapshot));
  const role = currentRole(provider.options, { ...identity.value, groups });
  if (role === undefined) return err("not_admitted");
  const facts = { ...identity.value, provider_id: provider.id, issuer: provider.issuer, role, groups };
  const user = await repository.signIn(random.uuid(), facts, clock.now());
  if (user === "disabled") return err("user_disabled");
  return user === "full" ? err("too_many_users") : ok(user);
}

function completed(provider: StoredProvider, user: User, claims: VerifiedClaims): VerifiedClaims {
  const groups = groupsClaimOf(provider);
  const { email, email_verified, ...others } = claims;
  // An address of which nothing is said displaces none that was verified.
  const vouched = email_verified !== undefined || isVerified(provider, claims);
  const keeps = user.email !== null && (email === undefined || (user.email_verified && !vouched));
  return {
    ...(user.name === null ? {} : { name: user.name }),
    [groups]: user.groups,
    // The domain was checked at the sign-in that made the person.
    ...(provider.options.domains[0] === undefined ? {} : { hd: provider.options.domains[0] }),
    ...others,
    ...(keeps ? { email: user.email, email_verified: user.email_verified } : { email, email_verified }),
  };
}
