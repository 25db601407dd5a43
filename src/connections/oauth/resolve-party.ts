/** The authorization server of an upstream as it is now, with Gatehouse as its client: where a link or a service token begins. */
import { ok, type Result } from "../../ports.ts";
import type { ClientCredentialsAuthentication, OAuthAuthentication, Server } from "../../registry/index.ts";
import type { Base, Challenge, Party, TokenFailure } from "../types.ts";
import { configuredClient, upstreamPins, type Client } from "./client.ts";
import { browserEndpoint, endpoint } from "./endpoints.ts";
import { wrong } from "./failures.ts";
import { findAuthorizationServer, type Found } from "./find.ts";
import { pinTo } from "./pins.ts";
import { canonicalResource } from "./protected-resource.ts";
import { automaticClient } from "./registrations.ts";

/**
 * For a server with authentication `oauth`: found by its own metadata or by what is configured, and refused without PKCE (UP-12).
 * @param challenge of the server's 401 or 403, if there was one
 * @returns failures: `passing` while somebody cannot be asked; `wrong` with `no_registration` when an administrator must register us by
 *   hand, `issuer_changed` when the server names another authorization server than its configured client belongs to, and others
 * @see MCP 2026-07-28 authorization server discovery and client registration
 */
export async function resolveParty(
  base: Base,
  server: Server,
  challenge?: Challenge,
): Promise<Result<Party, TokenFailure>> {
  const { authentication } = server;
  if (authentication.type !== "oauth") return wrong("not_oauth");
  if (authentication.endpoints !== undefined) return vendorParty(base, server, authentication);
  const found = await find(base, server, authentication, challenge);
  if (!found.ok) return found;
  const { metadata } = found.value;
  if (metadata.authorization_endpoint === undefined) return wrong("authorization_endpoint_missing");
  if (!metadata.has_pkce) return wrong("pkce_missing");
  const client = await clientAt(base, server, found.value);
  return client.ok ? ok(partyOf(found.value, client.value)) : client;
}

/**
 * For a server with authentication `client_credentials`. A token endpoint that is configured is asked without any discovery.
 * @returns failures as of `resolveParty`
 * @see RFC 6749 section 4.4
 */
export async function serviceParty(base: Base, server: Server): Promise<Result<Party, TokenFailure>> {
  const { authentication } = server;
  if (authentication.type !== "client_credentials") return wrong("not_client_credentials");
  if (authentication.token_endpoint !== undefined) return tokenEndpointParty(base, server, authentication);
  const found = await find(base, server, authentication, undefined);
  if (!found.ok) return found;
  const client = await clientAt(base, server, found.value);
  return client.ok ? ok(partyOf(found.value, client.value)) : client;
}

async function find(
  base: Base,
  server: Server,
  { issuer, resource, client_id }: OAuthAuthentication | ClientCredentialsAuthentication,
  challenge: Challenge | undefined,
): Promise<Result<Found, TokenFailure>> {
  const pin =
    client_id === undefined ? undefined : await upstreamPins(base).pin(server.id, server.authentication_revision);
  return findAuthorizationServer(base, { server, issuer, resource, challenge, preferred: pin?.issuer });
}

async function clientAt(base: Base, server: Server, { metadata }: Found): Promise<Result<Client, TokenFailure>> {
  const configured = await configuredClient(base, server, metadata.authentication_methods);
  if (!configured.ok) return configured;
  if (configured.value === undefined) return automaticClient(base, server, metadata);
  const pinned = await pinTo(base, server, configured.value, metadata);
  return pinned.ok ? ok(configured.value) : pinned;
}

function partyOf({ metadata, resource, scopes_supported }: Found, client: Client): Party {
  const { issuer, authorization_endpoint, token_endpoint, revocation_endpoint, names_issuer } = metadata;
  return {
    ...{ issuer, token_endpoint, names_issuer, resource, ...client },
    ...(authorization_endpoint === undefined ? {} : { authorization_endpoint }),
    ...(revocation_endpoint === undefined ? {} : { revocation_endpoint }),
    ...(scopes_supported === undefined ? {} : { scopes_supported }),
    ...(metadata.prompts_supported.includes("select_account") ? { lets_choose_account: true } : {}),
  };
}

/** A vendor without metadata: its endpoints are an administrator's word, so nothing has to be kept to. */
export async function vendorParty(
  base: Base,
  server: Server,
  { endpoints, issuer, resource }: OAuthAuthentication,
): Promise<Result<Party, TokenFailure>> {
  const authorization_endpoint = browserEndpoint(base, endpoints?.authorization ?? "");
  const token_endpoint = endpoint(base, endpoints?.token ?? "");
  if (authorization_endpoint === undefined || token_endpoint === undefined) return wrong("endpoint_not_allowed");
  const revocation_endpoint = endpoints?.revocation === undefined ? undefined : endpoint(base, endpoints.revocation);
  const client = await configuredClient(base, server);
  if (!client.ok) return client;
  if (client.value === undefined) return wrong("no_registration");
  return ok({
    ...{
      issuer: issuer ?? token_endpoint,
      authorization_endpoint,
      token_endpoint,
      names_issuer: false,
      ...client.value,
    },
    ...(revocation_endpoint === undefined ? {} : { revocation_endpoint }),
    resource: resource === undefined ? canonicalResource(server.url) : resource,
  });
}

export async function tokenEndpointParty(
  base: Base,
  server: Server,
  { token_endpoint: configured, issuer, resource }: ClientCredentialsAuthentication,
): Promise<Result<Party, TokenFailure>> {
  const token_endpoint = endpoint(base, configured ?? "");
  if (token_endpoint === undefined) return wrong("endpoint_not_allowed");
  const client = await configuredClient(base, server);
  if (!client.ok) return client;
  if (client.value === undefined) return wrong("no_registration");
  return ok({
    ...{ issuer: issuer ?? token_endpoint, token_endpoint, names_issuer: false, ...client.value },
    resource: resource === undefined ? canonicalResource(server.url) : resource,
  });
}
