/**
 * Signs access tokens.
 * @see RFC 9068
 */
import { SignJWT } from "jose";
import { limits } from "../../limits.ts";
import type { Visit } from "../../login/index.ts";
import type { Server } from "../../registry/index.ts";
import { signingKey } from "../keys/signing-key.ts";
import type { TokenAnswer, TokenSubject } from "../types.ts";
import { shortId, tokenType, type WireClaims } from "./access-claims.ts";

/**
 * @param issued_at milliseconds since the Unix epoch. A time before anything was read that the token rests on: a revocation takes
 *   its own time after its change is stored, so no token slips between the two.
 * @returns no refresh token
 */
export async function mintAccessToken(
  visit: Visit,
  subject: TokenSubject,
  issued_at: number = visit.platform.ports.clock.now(),
): Promise<TokenAnswer> {
  const { kid, key } = await signingKey(visit);
  const claims = wireClaims(visit, subject, issued_at);
  const access_token = await new SignJWT(claims).setProtectedHeader({ alg: "ES256", typ: tokenType, kid }).sign(key);
  return { access_token, token_type: "Bearer", expires_in: claims.exp - claims.iat, scope: subject.scope };
}

function wireClaims({ platform, tenant, snapshot }: Visit, subject: TokenSubject, issued_at: number): WireClaims {
  const { client_id, user, grant_id } = subject;
  return {
    iss: tenant.origin,
    aud: subject.resource,
    sub: user?.id ?? client_id,
    client_id,
    iat: Math.floor(issued_at / 1000),
    exp: Math.floor((issued_at + limits.accessToken_ms) / 1000),
    jti: platform.ports.random.uuid(),
    scope: subject.scope,
    issued_ms: issued_at,
    ...(snapshot.clients.has(client_id) ? { registered: true as const } : {}),
    ...(grant_id === undefined ? {} : { grant_id }),
    ...(user === undefined
      ? {}
      : {
          servers: user.servers.slice(0, limits.serversPerTenant_count).map(shortId),
          groups: usefulGroups(user.groups, user.servers, [...snapshot.servers.values()]),
          roles: [user.role],
          ...(user.email === null ? {} : { email: user.email }),
          ...(user.email !== null && user.email_verified ? { email_verified: true as const } : {}),
        }),
  };
}

/** Groups that a rule of the tenant names, those of the chosen servers first, as far as a token may hold them. */
function usefulGroups(groups: readonly string[], chosen: readonly string[], servers: readonly Server[]): string[] {
  const held = new Set(groups);
  const isChosen = new Set(chosen);
  const named = [...servers.filter(({ id }) => isChosen.has(id)), ...servers].flatMap(({ access }) => access.groups);
  const useful: string[] = [];
  let length_chars = 0;
  for (const group of new Set(named)) {
    if (!held.has(group)) continue;
    length_chars += JSON.stringify(group).length + 1;
    if (length_chars > limits.tokenGroups_chars) break;
    useful.push(group);
  }
  return useful;
}
