/** Whom a token is for, as far as it says so. */
import { peekJwt } from "../../trust/index.ts";
import type { Base, Party, TokenSet } from "../types.ts";

/**
 * Tells the operator of a token that names other servers only (UP-09). It is kept: what its server takes is the server's to say, and
 * audiences that are no URLs, as Entra's and Auth0's may be, tell nothing.
 */
export function checkAudience({ platform, tenant }: Base, party: Party, { tokens }: TokenSet): void {
  if (party.resource === null) return;
  const audience = peekJwt(tokens.access_token)?.unverified["aud"];
  const named = (Array.isArray(audience) ? audience : [audience]).map((one) =>
    typeof one === "string" ? URL.parse(one)?.origin : undefined,
  );
  const own = new URL(party.resource).origin;
  // "null": a URN and the like, which has no host to compare.
  if (named.some((origin) => origin === undefined || origin === "null" || origin === own)) return;
  platform.log("warn", "A token is for another server than it was asked for", {
    tenant: tenant.id,
    issuer: party.issuer,
    resource: party.resource,
    reason: "token_audience",
  });
}
