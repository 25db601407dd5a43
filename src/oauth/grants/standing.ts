/** Whether a grant may give a token now: everything that it rests on, read from D1 at once. */
import { and, eq } from "drizzle-orm";
import * as z from "zod";
import { agents, grants, identity_providers, openDatabase, users } from "../../db/index.ts";
import { currentRole, providerOptionsSchema, type Role, type Visit } from "../../login/index.ts";
import { err, ok, type Result } from "../../ports.ts";
import { offeredServers } from "../consent/offered.ts";
import { isRegisteredRedirect, isTrustedRedirect, parseLoopback, trustedRedirects } from "../redirects/index.ts";
import type { OAuthClient, TokenSubject } from "../types.ts";
import { storedGrant, type StoredGrant } from "./grant-rows.ts";

export interface GrantRecord {
  readonly grant: StoredGrant;
  readonly owner: {
    readonly id: string;
    readonly email: string | null;
    readonly email_verified: boolean;
    readonly groups: readonly string[];
    readonly enabled: boolean;
    readonly isProviderEnabled: boolean;
    /** By the provider's rules as they are now; undefined when none admits the person any more. */
    readonly role: Role | undefined;
  };
  readonly isClientDisabled: boolean;
}

export type GrantRefusal =
  | "grant_revoked"
  | "grant_expired"
  | "user_disabled"
  | "provider_disabled"
  | "not_admitted"
  | "client_disabled"
  | "redirect_unregistered"
  | "redirect_loopback"
  | "redirect_untrusted"
  | "policy_no_server";

const groupsColumn = z.array(z.string());

/** @returns undefined where there is no such grant, or its person is gone */
export async function readGrant({ platform, tenant }: Visit, id: string): Promise<GrantRecord | undefined> {
  const [row] = await openDatabase(platform.bindings.DB)
    .select({
      grant: grants,
      owner: {
        id: users.id,
        email: users.email,
        email_verified: users.email_verified,
        groups: users.groups,
        enabled: users.enabled,
      },
      provider: { enabled: identity_providers.enabled, options: identity_providers.options },
      agent: { disabled_at: agents.disabled_at },
    })
    .from(grants)
    .innerJoin(users, and(eq(users.tenant_id, grants.tenant_id), eq(users.id, grants.user_id)))
    .leftJoin(
      identity_providers,
      and(eq(identity_providers.tenant_id, grants.tenant_id), eq(identity_providers.id, users.provider_id)),
    )
    .leftJoin(agents, and(eq(agents.tenant_id, grants.tenant_id), eq(agents.id, grants.client_id)))
    .where(and(eq(grants.tenant_id, tenant.id), eq(grants.id, id)));
  if (row === undefined) return undefined;
  const { grant, provider, agent } = row;
  const owner = { ...row.owner, groups: groupsColumn.parse(JSON.parse(row.owner.groups)) };
  const options = provider === null ? undefined : providerOptionsSchema.parse(JSON.parse(provider.options));
  return {
    grant: storedGrant(grant),
    owner: {
      ...owner,
      isProviderEnabled: provider?.enabled === true,
      role: options === undefined ? undefined : currentRole(options, owner),
    },
    isClientDisabled: (agent?.disabled_at ?? null) !== null,
  };
}

/** @param client as it authenticated: known and enabled, as far as its kind can tell. @returns for whom the token is */
export async function checkStanding(
  visit: Visit,
  client: OAuthClient,
  { grant, owner, isClientDisabled }: GrantRecord,
  now: number,
): Promise<Result<TokenSubject, GrantRefusal>> {
  if (grant.revoked_at !== null) return err("grant_revoked");
  if (grant.expires_at <= now) return err("grant_expired");
  if (!owner.enabled) return err("user_disabled");
  if (!owner.isProviderEnabled) return err("provider_disabled");
  if (owner.role === undefined) return err("not_admitted");
  if (isClientDisabled) return err("client_disabled");
  if (!isRegisteredRedirect(client.redirect_uris, grant.redirect_uri)) return err("redirect_unregistered");
  const { document_loopback } = visit.snapshot.settings.registration;
  const isLoopback = client.kind === "document" && parseLoopback(grant.redirect_uri) !== undefined;
  if (isLoopback && !document_loopback) return err("redirect_loopback");
  const trusted = await trustedRedirects(openDatabase(visit.platform.bindings.DB), visit.tenant.id).all();
  if (!isTrustedRedirect(grant.redirect_uri, trusted)) return err("redirect_untrusted");
  const offered = offeredServers(visit, { client, user: owner, resource: grant.resource });
  if (offered.length === 0) return err("policy_no_server");
  const { id, email, email_verified, groups, role } = owner;
  return ok({
    client_id: client.id,
    resource: grant.resource,
    scope: grant.scope,
    user: { id, email, email_verified, groups, role, servers: grant.servers },
    grant_id: grant.id,
  });
}
