/** Changes what a grant allows, without its client being asked. */
import { and, eq } from "drizzle-orm";
import { grants, openDatabase } from "../../db/index.ts";
import { authEvent, type Visit } from "../../login/index.ts";
import { announceRevocation, revokeTokens } from "../../tenant/index.ts";
import { parseResource } from "../resource.ts";
import { livingGrant, storedGrant } from "./grant-rows.ts";

/**
 * The access tokens of the grant end, so that the next ones carry the new list. What is named and not there, or not for this
 * endpoint, is left out; whether the person may reach the rest is decided at each call, as always.
 * @returns false when this person has no such living grant
 */
export async function setGrantServers(
  visit: Visit,
  grant_id: string,
  user_id: string,
  servers: readonly string[],
): Promise<boolean> {
  const { platform, tenant, snapshot } = visit;
  const { clock } = platform.ports;
  const database = openDatabase(platform.bindings.DB);
  const one = and(
    eq(grants.tenant_id, tenant.id),
    eq(grants.id, grant_id),
    eq(grants.user_id, user_id),
    livingGrant(clock.now()),
  );
  const [found] = await database.select({ resource: grants.resource }).from(grants).where(one);
  if (found === undefined) return false;
  const slug = parseResource(tenant.origin, found.resource)?.slug;
  const known = [...snapshot.servers.values()].filter((server) => slug === undefined || server.slug === slug);
  const chosen = known.map(({ id }) => id).filter((id) => servers.includes(id));
  const [row] = await database
    .update(grants)
    .set({ servers: JSON.stringify(chosen) })
    .where(one)
    .returning();
  if (row === undefined) return false;
  await revokeTokens(database, tenant.id, { kind: "grant", subject: grant_id }, clock.now());
  await announceRevocation(platform, tenant.id);
  const { client_id, client_name, resource } = storedGrant(row);
  await visit.recorder.record(
    authEvent(visit, {
      ...{ action: "grant.change", outcome: "ok", user: { id: user_id, email: null }, agent: client_id, client_name },
      ...{ grant: grant_id, resource },
    }),
  );
  return true;
}
