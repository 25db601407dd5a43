/** Which registered client a workload's token stands for. */
import { sql } from "drizzle-orm";
import * as z from "zod";
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

const rowsSchema = z.array(z.object({ id: z.string(), met: z.number(), oauth: z.string() }));

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
  // Rules are texts, so nothing else can meet one.
  const texts = Object.fromEntries(Object.entries(told).filter(([, value]) => typeof value === "string"));
  const named = client_id === undefined ? sql`` : sql`AND client.id = ${client_id}`;
  // The part with `instr` spares the reading of rows without the issuer; what counts is the rule.
  const answered: unknown[] = await openDatabase(platform.bindings.DB).all(sql`
    WITH told AS MATERIALIZED (SELECT key AS name, value FROM json_each(${JSON.stringify(texts)})),
    rules AS (
      SELECT client.id, count(*) = count(told.name) AS met
      FROM ${clients} AS client
      CROSS JOIN json_each(client.oauth, '$.workloads') AS rule
      CROSS JOIN json_each(rule.value, '$.claims') AS claim
      LEFT JOIN told ON told.name = claim.key AND told.value = claim.value
      WHERE client.tenant_id = ${tenant.id} AND client.enabled = 1 AND client.oauth IS NOT NULL
        AND instr(client.oauth, ${JSON.stringify(issuer)}) > 0
        AND json_extract(rule.value, '$.issuer') = ${issuer} ${named}
      GROUP BY client.id, rule.key
    ),
    found AS (SELECT id, max(met) AS met FROM rules GROUP BY id ORDER BY met DESC LIMIT ${matches_count})
    SELECT found.id, found.met, client.oauth
    FROM found JOIN ${clients} AS client ON client.tenant_id = ${tenant.id} AND client.id = found.id`);
  const rows = rowsSchema.parse(answered);
  if (rows.length === 0 && client_id === undefined) return err("workload_issuer");
  const matches = rows.flatMap(({ id, oauth, met }) => {
    if (met === 0) return [];
    const { workloads } = registrationMetadataSchema.parse(JSON.parse(oauth));
    const workload = workloads.find((each) => each.issuer === issuer && holdsClaims(each, told));
    return workload === undefined ? [] : [{ client_id: id, workload }];
  });
  const [match, another] = matches;
  if (match === undefined) return err("workload_unknown");
  return another === undefined ? ok(match) : err("workload_ambiguous");
}
