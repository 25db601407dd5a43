/** Who Gatehouse is at an authorization server without registering there: as an administrator set it, or by its own document. */
import { openDatabase } from "../../db/index.ts";
import { ok, type Result } from "../../ports.ts";
import {
  isGivenFor,
  readSealedCredential,
  type ClientAuthentication,
  type ClientSecret,
  type Server,
} from "../../registry/index.ts";
import { serverCredentialBinding } from "../../vault/index.ts";
import type { Base, Party, TokenFailure } from "../types.ts";
import { upstreamClientsRepository } from "../upstream-clients.ts";
import { upstreamPinsRepository } from "../upstream-pins.ts";
import { preferredMethod } from "./client-authentication.ts";
import { configuredCallback, documentCallback } from "./callbacks.ts";
import { clientDocumentUrl } from "./client-document.ts";
import { wrong } from "./failures.ts";

export type Client = Pick<Party, "client_id" | "client_authentication" | "secret" | "how" | "redirect_uri">;

export const upstreamPins = ({ platform, tenant }: Pick<Base, "platform" | "tenant">) =>
  upstreamPinsRepository(openDatabase(platform.bindings.DB), tenant.id);

export const upstreamClients = ({ platform, tenant }: Pick<Base, "platform" | "tenant">) =>
  upstreamClientsRepository(openDatabase(platform.bindings.DB), tenant.id);

/** What an administrator set: the client id, and its secret from the vault. */
export async function configuredClient(
  base: Base,
  server: Server,
  methods?: readonly string[],
): Promise<Result<Client | undefined, TokenFailure>> {
  const { authentication } = server;
  if (authentication.type !== "oauth" && authentication.type !== "client_credentials") return wrong("not_oauth");
  const { client_id } = authentication;
  if (client_id === undefined) return ok(undefined);
  const secret = await openSecret(base, server);
  if (!secret.ok) return secret;
  const client_authentication = authentication.client_authentication ?? methodOf(secret.value, methods);
  const redirect_uri = configuredCallback(base.tenant.origin, server);
  return ok({ client_id, client_authentication, secret: secret.value, how: "configured", redirect_uri });
}

function methodOf({ client_secret, private_key }: ClientSecret, methods?: readonly string[]): ClientAuthentication {
  if (private_key !== undefined) return "private_key_jwt";
  if (client_secret === undefined) return "none";
  return preferredMethod(methods, ["client_secret_basic", "client_secret_post"]) ?? "client_secret_basic";
}

async function openSecret(base: Base, server: Server): Promise<Result<ClientSecret, TokenFailure>> {
  if (server.credential === null) return ok({});
  const binding = serverCredentialBinding(base.tenant.id, server.id, server.revision);
  const opened = await base.vault.open(binding, server.credential);
  if (!opened.ok) return wrong(opened.error.reason ?? "vault_tamper");
  const sealed = readSealedCredential(opened.value);
  if (sealed === undefined) return wrong("credential_mismatch");
  // Whoever edited the row has no key: the secret stays with the authorization server that it was given for.
  if (!isGivenFor(sealed, server)) return wrong("vault_tamper");
  const { credential } = sealed;
  if (credential.type !== "oauth" && credential.type !== "client_credentials") return wrong("credential_mismatch");
  const { type: _kind, ...secret } = credential;
  return ok(secret);
}

/** A client id is an https URL (draft-ietf-oauth-client-id-metadata-document section 3), which the document must be at. */
export const hasDocument = (base: Base): boolean => base.tenant.origin.startsWith("https://");

/** Our documents: one at each host of the tenant, since any of them may have been where a link began. */
export function documentUrls({ platform, tenant }: Base): readonly string[] {
  const hosts = [...platform.configuration.hosts].flatMap(([host, id]) =>
    id === tenant.id ? [`https://${host}`] : [],
  );
  return [tenant.origin, ...hosts].map(clientDocumentUrl);
}

/** @param client_id of `documentUrls` */
export const documentClient = (client_id: string): Client => ({
  client_id,
  client_authentication: "none",
  secret: {},
  how: "document",
  redirect_uri: documentCallback(new URL(client_id).origin),
});
