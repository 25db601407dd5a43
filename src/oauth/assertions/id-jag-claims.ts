/** What an identity assertion allows: the claims of its own kind. Pure. */
import * as z from "zod";
import { err, ok, type Result } from "../../ports.ts";
import type { ForeignClaims } from "../../trust/index.ts";
import { parseResource } from "../resource.ts";
import { requiredScope } from "../tokens/access-claims.ts";

export interface IdJagTarget {
  /** URL of the MCP endpoint; undefined where the assertion leaves it to us. */
  readonly resource: string | undefined;
}

const claimsSchema = z.object({
  client_id: z.string(),
  resource: z.union([z.string().transform((one) => [one]), z.array(z.string()).min(1).max(20)]).optional(),
  scope: z.string().optional(),
});

/**
 * @param client_id of the client that authenticated
 * @param requested the resource that the request names, one of ours
 * @returns a stable reason when the assertion is not for this client, this server and this resource
 * @see draft-ietf-oauth-identity-assertion-authz-grant sections 3.1 and 4.4.1; MCP extension "Enterprise-Managed Authorization"
 *   section 7.6.2
 */
export function checkIdJag(
  { aud, all }: ForeignClaims,
  origin: string,
  client_id: string,
  requested: string | undefined,
): Result<IdJagTarget, string> {
  // Other servers that it names could pass it on.
  if (aud.length !== 1) return err("jwt_audience_many");
  // It is bound to a key, and we cannot check that the client holds it.
  if (Object.hasOwn(all, "cnf")) return err("id_jag_cnf");
  const claims = claimsSchema.safeParse(all);
  if (!claims.success) return err("id_jag_claims");
  const { resource: resources, scope } = claims.data;
  if (claims.data.client_id !== client_id) return err("id_jag_client");
  if (scope !== undefined && !scope.split(" ").includes(requiredScope)) return err("id_jag_scope");
  if (resources === undefined) return ok({ resource: requested });
  if (!resources.every((one) => parseResource(origin, one) !== undefined)) return err("id_jag_resource");
  const [first, another] = resources;
  if (requested !== undefined)
    return resources.includes(requested) ? ok({ resource: requested }) : err("id_jag_resource");
  return another === undefined ? ok({ resource: first }) : err("id_jag_resource_many");
}
