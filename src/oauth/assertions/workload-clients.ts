/** Which registered client a workload's token stands for. */
import { and, eq, isNotNull, sql } from "drizzle-orm";
import { clients, openDatabase } from "../../db/index.ts";
import { limits } from "../../limits.ts";
import type { Visit } from "../../login/index.ts";
import { err, ok, type JsonObject, type Result } from "../../ports.ts";
import { registrationMetadataSchema } from "../clients/registration.ts";
import type { Workload } from "../types.ts";

export interface WorkloadClient {
  readonly client_id: string;
  readonly workload: Workload;
}

/** Own members only: `constructor` is no claim. */
export const holdsClaims = ({ claims }: Workload, told: JsonObject): boolean =>
  Object.entries(claims).every(([name, value]) => Object.hasOwn(told, name) && told[name] === value);

/**
 * The one client whose rules the claims meet. They are not verified yet: this only tells by what they have to be.
 * @param client_id the client that the request names, if it does
 * @returns the stable reason when no client's rules hold, or those of more than one: then the rules are too wide
 */
export async function findWorkloadClient(
  { platform, tenant }: Visit,
  issuer: string,
  told: JsonObject,
  client_id: string | undefined,
): Promise<Result<WorkloadClient, string>> {
  const named = client_id === undefined ? undefined : eq(clients.id, client_id);
  const rows = await openDatabase(platform.bindings.DB)
    .select({ id: clients.id, oauth: clients.oauth })
    .from(clients)
    .where(
      and(
        eq(clients.tenant_id, tenant.id),
        eq(clients.enabled, true),
        isNotNull(clients.oauth),
        // Narrows it down as text: the rules themselves are read below.
        sql`instr(${clients.oauth}, ${JSON.stringify(issuer)}) > 0`,
        named,
      ),
    )
    .limit(limits.clientsPerTenant_count);
  const matches = rows.flatMap(({ id, oauth }) => {
    const { workloads } = registrationMetadataSchema.parse(JSON.parse(oauth ?? ""));
    const workload = workloads.find((each) => each.issuer === issuer && holdsClaims(each, told));
    return workload === undefined ? [] : [{ client_id: id, workload }];
  });
  const [match, another] = matches;
  if (match === undefined) return err("workload_unknown");
  return another === undefined ? ok(match) : err("workload_ambiguous");
}
