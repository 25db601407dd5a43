/**
 * Who Gatehouse is, published by itself: an authorization server that reads it needs no registration.
 * @see draft-ietf-oauth-client-id-metadata-document; RFC 7591 section 2; MCP 2026-07-28 client registration
 */
import type { JsonObject } from "../../ports.ts";
import { documentCallback } from "./callbacks.ts";

/** It is the client id as well. */
export const clientDocumentUrl = (origin: string): string => `${origin}/oauth/client.json`;

/** What registrations and the document have in common. */
export const clientMetadata = (origin: string, callback: string) => ({
  client_name: "Gatehouse",
  client_uri: origin,
  redirect_uris: [callback],
  // SEP-2207: otherwise there may be no refresh tokens.
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
  // SEP-837: it has a web server of its own, wherever that runs.
  application_type: "web",
});

/** Content of `/oauth/client.json`. */
export const clientDocument = (origin: string): JsonObject => ({
  client_id: clientDocumentUrl(origin),
  ...clientMetadata(origin, documentCallback(origin)),
  token_endpoint_auth_method: "none",
});
