/** Which authorization server issues tokens for a server, and under which name of the server. */
import { limits } from "../../limits.ts";
import { ok, type Result } from "../../ports.ts";
import type { Server } from "../../registry/index.ts";
import type { Base, Challenge, TokenFailure } from "../types.ts";
import { challengeOf } from "./ask-server.ts";
import { browserEndpoint, endpoint } from "./endpoints.ts";
import { wrong } from "./failures.ts";
import { scopesOf, splitScope } from "./lists.ts";
import { canonicalResource, findProtectedResource, type ProtectedResource } from "./protected-resource.ts";
import { findServerMetadata, type ServerMetadata } from "./server-metadata.ts";
import { isSameIssuer } from "./well-known.ts";

export interface Found {
  readonly metadata: ServerMetadata;
  /** RFC 8707; null: none is sent. */
  readonly resource: string | null;
  /** What is asked for when nobody says more: the challenge's, else all. Undefined: nothing is known. */
  readonly scopes_supported?: readonly string[];
}

export interface Sought {
  readonly server: Server;
  /** The only one that is taken. */
  readonly issuer?: string | undefined;
  /** As configured. Undefined: the server's own. */
  readonly resource?: string | null | undefined;
  /** Of the server's 401 or 403. Undefined: it is asked. */
  readonly challenge?: Challenge | undefined;
  /** Of several that the server names, this one. */
  readonly preferred?: string | undefined;
}

/** @see MCP 2026-07-28 authorization server discovery; RFC 9728 section 5; RFC 8414 section 3 */
export async function findAuthorizationServer(base: Base, sought: Sought): Promise<Result<Found, TokenFailure>> {
  const { server } = sought;
  const challenge = sought.challenge ?? (await challengeOf(base, server));
  const asked = { url: server.url, configured: sought.resource };
  const published = await findProtectedResource(base, asked, challenge);
  if (!published.ok) return published;
  const metadata = await metadataFor(base, sought, published.value);
  if (!metadata.ok) return metadata;
  const challenged = challenge?.scope === undefined ? undefined : scopesOf(splitScope(challenge.scope));
  const named = challenged ?? published.value?.scopes_supported;
  const scopes_supported = supported(named, metadata.value.scopes_supported);
  const own = published.value?.resource ?? canonicalResource(server.url);
  return ok({
    metadata: metadata.value,
    resource: sought.resource === undefined ? own : sought.resource,
    ...(scopes_supported === undefined ? {} : { scopes_supported }),
  });
}

function metadataFor(
  base: Base,
  { server, issuer, preferred }: Sought,
  published: ProtectedResource | undefined,
): Promise<Result<ServerMetadata, TokenFailure>> {
  if (issuer !== undefined) return configured(base, issuer);
  const named = published?.authorization_servers ?? [];
  return named.length > 0 ? firstOf(base, named, preferred) : ownOrigin(base, server, published !== undefined);
}

async function configured(base: Base, issuer: string): Promise<Result<ServerMetadata, TokenFailure>> {
  const found = await findServerMetadata(base, issuer);
  if (!found.ok) return found;
  return found.value === undefined ? wrong("metadata_missing") : ok(found.value);
}

/**
 * The first that may be called and publishes something. One that is out of reach at the moment, or wrong about itself, ends the search:
 * who can make it fail must not choose another.
 * @see RFC 9728 section 7.6
 */
async function firstOf(
  base: Base,
  named: readonly string[],
  preferred: string | undefined,
): Promise<Result<ServerMetadata, TokenFailure>> {
  const isPreferred = (issuer: string): boolean => preferred !== undefined && isSameIssuer(issuer, preferred);
  const ordered = [...named.filter(isPreferred), ...named.filter((issuer) => !isPreferred(issuer))];
  for (const issuer of ordered.slice(0, limits.authorizationServers_count)) {
    if (endpoint(base, issuer) === undefined) continue;
    const found = await findServerMetadata(base, issuer);
    if (!found.ok) return found;
    if (found.value !== undefined) return ok(found.value);
  }
  return wrong("authorization_server_unusable");
}

/**
 * A server of 2025-03-26, before resources had metadata: its origin is the authorization server, and if that publishes nothing either
 * its endpoints have default names. PKCE was mandatory there, with no place to say so.
 * @see MCP 2025-03-26 authorization, "Server Metadata Discovery" and "Fallbacks for Servers without Metadata Discovery"
 */
async function ownOrigin(
  base: Base,
  server: Server,
  hasPublished: boolean,
): Promise<Result<ServerMetadata, TokenFailure>> {
  const { origin } = new URL(server.url);
  const found = await findServerMetadata(base, origin);
  if (!found.ok) return found;
  if (found.value !== undefined) return ok(found.value);
  const authorization_endpoint = browserEndpoint(base, `${origin}/authorize`);
  if (hasPublished || authorization_endpoint === undefined) return wrong("authorization_server_missing");
  return ok({
    issuer: origin,
    authorization_endpoint,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
    names_issuer: false,
    takes_documents: false,
    has_pkce: true,
    scopes_supported: [],
    prompts_supported: [],
  });
}

export const offlineAccess = "offline_access";

/** Of the server what may be asked for, and of its authorization server whether it gives refresh tokens for the asking (SEP-2207). */
function supported(
  resource: readonly string[] | undefined,
  authorization: readonly string[],
): readonly string[] | undefined {
  const scopes = (resource ?? []).filter((scope) => scope !== offlineAccess);
  if (authorization.includes(offlineAccess)) return [...scopes, offlineAccess];
  return resource === undefined ? undefined : scopes;
}
