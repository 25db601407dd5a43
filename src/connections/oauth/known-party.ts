/** The authorization server that a connection was made with: nothing of the connection goes anywhere else. */
import { ok, type Result } from "../../ports.ts";
import type { Server } from "../../registry/index.ts";
import { fetchDocument } from "../../trust/index.ts";
import type { Base, Party, TokenFailure } from "../types.ts";
import {
  configuredClient,
  documentClient,
  documentUrls,
  upstreamClients,
  upstreamPins,
  type Client,
} from "./client.ts";
import { dead, wrong } from "./failures.ts";
import { issuerChanged } from "./pins.ts";
import { canonicalResource, readProtectedResource } from "./protected-resource.ts";
import { registeredClient } from "./registrations.ts";
import { resolveParty, serviceParty, tokenEndpointParty, vendorParty } from "./resolve-party.ts";
import { isSameIssuer, resourceMetadataUrls } from "./well-known.ts";

/** What was kept when it was made. A stored connection is one, and so is a party without its secret. */
export interface Held {
  readonly issuer: string;
  readonly token_endpoint: string;
  readonly client_id: string;
  readonly revocation_endpoint?: string | null | undefined;
  readonly names_issuer?: boolean | undefined;
  /** Left out: what the server is called now. */
  readonly resource?: string | null | undefined;
}

/**
 * For renewing and revoking what exists, and for the way back of a link. Nobody is asked which authorization server it is, but once after
 * an administrator saved the server anew: its configured client may belong to another one since.
 * @param why for revoking, the name of the server is not looked up
 * @returns failures: `dead` `issuer_changed` when the client that an administrator set belongs elsewhere; `client_gone` when no such
 *   client is there any more; and what the vault says
 */
export async function knownParty(
  base: Base,
  server: Server,
  held: Held,
  why: "renew" | "revoke" = "renew",
): Promise<Result<Party, TokenFailure>> {
  const client = await clientOf(base, server, held);
  if (!client.ok) return client;
  const { issuer, token_endpoint, revocation_endpoint } = held;
  return ok({
    ...{ issuer, token_endpoint, names_issuer: held.names_issuer ?? false, ...client.value },
    ...(revocation_endpoint === undefined || revocation_endpoint === null ? {} : { revocation_endpoint }),
    resource: await resourceOf(base, server, held, why),
  });
}

async function clientOf(base: Base, server: Server, held: Held): Promise<Result<Client, TokenFailure>> {
  const { authentication } = server;
  if (authentication.type !== "oauth" && authentication.type !== "client_credentials") return wrong("not_oauth");
  if (authentication.client_id === held.client_id) return configuredAt(base, server, held);
  if (documentUrls(base).includes(held.client_id)) return ok(documentClient(held.client_id));
  const kept = await upstreamClients(base).registration(server.id, held.issuer, held.client_id);
  if (kept === undefined) return wrong("client_gone");
  if (kept.token_endpoint !== held.token_endpoint) return issuerChanged(base, server);
  return registeredClient(base, kept);
}

/** The secret that an administrator set goes only to where it belongs now, whatever the connection says (UP-01, UP-05). */
async function configuredAt(base: Base, server: Server, held: Held): Promise<Result<Client, TokenFailure>> {
  const place = await placeOf(base, server);
  if (!place.ok) return place;
  const { issuer, token_endpoint, client } = place.value;
  if (!isSameIssuer(issuer, held.issuer) || token_endpoint !== held.token_endpoint) {
    await issuerChanged(base, server);
    // Where the client belongs now nobody knows this connection: the person makes it anew there.
    return dead("issuer_changed");
  }
  if (client !== undefined) return ok(client);
  const opened = await configuredClient(base, server);
  if (!opened.ok) return opened;
  return opened.value === undefined ? wrong("client_gone") : ok(opened.value);
}

interface Place {
  readonly issuer: string;
  readonly token_endpoint: string;
  readonly client?: Client;
}

async function placeOf(base: Base, server: Server): Promise<Result<Place, TokenFailure>> {
  const { authentication } = server;
  if (authentication.type === "oauth" && authentication.endpoints !== undefined) {
    return vendorParty(base, server, authentication);
  }
  if (authentication.type === "client_credentials" && authentication.token_endpoint !== undefined) {
    return tokenEndpointParty(base, server, authentication);
  }
  const pin = await upstreamPins(base).pin(server.id, server.authentication_revision);
  if (pin !== undefined) {
    const client = await configuredClient(base, server);
    if (!client.ok) return client;
    // The method that its metadata made us choose when it was pinned.
    const method = { client_authentication: pin.client_authentication };
    return ok({ ...pin, ...(client.value === undefined ? {} : { client: { ...client.value, ...method } }) });
  }
  const found = authentication.type === "oauth" ? await resolveParty(base, server) : await serviceParty(base, server);
  return found.ok ? ok({ ...found.value, client: found.value }) : found;
}

/** @see RFC 8707 section 2.2; MCP 2026-07-28 authorization: in every token request */
async function resourceOf(base: Base, server: Server, held: Held, why: "renew" | "revoke"): Promise<string | null> {
  if (held.resource !== undefined) return held.resource;
  const { authentication, url } = server;
  const isOAuth = authentication.type === "oauth" || authentication.type === "client_credentials";
  const configured = isOAuth ? authentication.resource : undefined;
  if (configured !== undefined) return configured;
  const isConfigured = authentication.type === "oauth" && authentication.endpoints !== undefined;
  if (why === "revoke" || isConfigured) return canonicalResource(url);
  for (const place of resourceMetadataUrls(url)) {
    const document = await fetchDocument(base, { url: place, kind: "discovery" });
    const read = document.ok ? readProtectedResource(document.value.json, { url }) : document;
    if (read.ok) return read.value.resource;
  }
  return canonicalResource(url);
}
