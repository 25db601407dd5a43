/** Which registered client a workload's token stands for. */
import { and, eq, isNotNull, sql, type SQL } from "drizzle-orm";
import { clients, openDatabase } from "../../db/index.ts";
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

/** Rows that leave the database: one more than may match. */
const matches_count = 2;

/**
 * The one client whose rules the claims meet. They are not verified yet: this only tells by what they have to be. Whoever asks has
 * proved nothing, so the database compares, and no more than two rows leave it.
 * @param client_id the client that the request names, if it does
 * @returns the stable reason when no client's rules hold, or those of more than one: then the rules are too wide; `workload_issuer`
 *   when there is no rule for the issuer at all
 */
export async function findWorkloadClient(
  { platform, tenant }: Visit,
  issuer: string,
  told: JsonObject,
  client_id: string | undefined,
): Promise<Result<WorkloadClient, string>> {
  // Those of rules all are.
  if (!issuer.startsWith("https://")) return err("workload_issuer");
  const ofIssuer = (rule: SQL): SQL<number> =>
    sql`EXISTS (SELECT 1 FROM json_each(${clients.oauth}, '$.workloads') AS workload
      WHERE json_extract(workload.value, '$.issuer') = ${issuer} AND ${rule})`;
  // Rules are texts, so nothing else can meet one.
  const texts = Object.fromEntries(Object.entries(told).filter(([, value]) => typeof value === "string"));
  const isMet = sql`NOT EXISTS (SELECT 1 FROM json_each(workload.value, '$.claims') AS claim
    WHERE (claim.key, claim.value) NOT IN (SELECT key, value FROM json_each(${JSON.stringify(texts)})))`;
  const rows = await openDatabase(platform.bindings.DB)
    .select({ id: clients.id, oauth: clients.oauth, met: ofIssuer(isMet) })
    .from(clients)
    .where(
      and(
        eq(clients.tenant_id, tenant.id),
        eq(clients.enabled, true),
        isNotNull(clients.oauth),
        // Spares the reading of rows without the issuer; what counts is the rule.
        sql`instr(${clients.oauth}, ${JSON.stringify(issuer)}) > 0`,
        ofIssuer(sql`1`),
        client_id === undefined ? undefined : eq(clients.id, client_id),
      ),
    )
    .orderBy(sql`3 DESC`)
    .limit(matches_count);
  if (rows.length === 0 && client_id === undefined) return err("workload_issuer");
  const matches = rows.flatMap(({ id, oauth, met }) => {
    if (met === 0) return [];
    const { workloads } = registrationMetadataSchema.parse(JSON.parse(oauth ?? ""));
    const workload = workloads.find((each) => each.issuer === issuer && holdsClaims(each, told));
    return workload === undefined ? [] : [{ client_id: id, workload }];
  });
  const [match, another] = matches;
  if (match === undefined) return err("workload_unknown");
  return another === undefined ? ok(match) : err("workload_ambiguous");
}
