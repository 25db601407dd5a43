/**
 * Registrations of ours: which one is used, when there is another, and what becomes of the one before.
 *
 * Whether an authorization server still knows a registration it tells nobody but the browser that brings a person there: whoever is not
 * known is shown an error page, and never comes back. So a registration gives way when an administrator saves the authentication anew,
 * when links that began with it do not return, and when a token endpoint refused it. What is connected already goes on with its own.
 */
import * as z from "zod";
import { openDatabase } from "../../db/index.ts";
import { limits } from "../../limits.ts";
import { ok, type Result } from "../../ports.ts";
import { secretValueSchema, type Server } from "../../registry/index.ts";
import { upstreamClientBinding } from "../../vault/index.ts";
import type { Base, TokenFailure } from "../types.ts";
import { lostLinks } from "../lost-links.ts";
import { formerPlace, type UpstreamClient } from "../upstream-clients.ts";
import { documentClient, hasDocument, upstreamClients, type Client } from "./client.ts";
import { newCallback } from "./callbacks.ts";
import { clientDocumentUrl } from "./client-document.ts";
import { wrong } from "./failures.ts";
import { register, type Registration } from "./registration.ts";
import type { ServerMetadata } from "./server-metadata.ts";

/**
 * Our document where it is taken and answers name their issuer, else a registration: the one that is kept of this issuer, token endpoint
 * and hostname of ours, or a new one. Nothing of one authorization server is ever used at another (SEP-2352).
 * @returns failure `no_registration` when an administrator must register us by hand; `issuer_not_named` when there is only the document, and
 *   its answers could be somebody else's
 */
export async function automaticClient(
  base: Base,
  server: Server,
  metadata: ServerMetadata,
): Promise<Result<Client, TokenFailure>> {
  if (usesDocument(base, metadata)) return ok(documentClient(clientDocumentUrl(base.tenant.origin)));
  const repository = upstreamClients(base);
  const kept = await repository.get(server.id, metadata.issuer);
  const all = await repository.registrations(server.id, metadata.issuer);
  const good = all.filter((one) => isGood(base, one, metadata));
  const usable = good.find((one) => one.server_revision >= server.authentication_revision) ?? good[0];
  if (usable !== undefined && !(await isDoubtful(base, server, usable))) return registeredClient(base, usable);
  if (usable === undefined && hasOnlyDocument(base, metadata)) return wrong("issuer_not_named");
  if (usable !== undefined && (await repository.countUsed(server.id)) >= limits.upstreamClientsPerServer_count) {
    return stay(base, server, usable, "registrations_limit");
  }
  const redirect_uri = newCallback(base.tenant.origin, server, base.platform.ports.random);
  const registered = await register(base, metadata, redirect_uri);
  if (!registered.ok) return usable === undefined ? registered : stay(base, server, usable, registered.error.reason);
  const row = await rowOf(base, server, metadata, { ...registered.value, redirect_uri }, kept);
  const isKept =
    kept === undefined
      ? await repository.putRegistration(row)
      : await repository.replaceRegistration(row, kept, await formerOf(base, kept, row));
  if (isKept) {
    // What gave way does not come back when this one is doubted some day.
    if (usable !== undefined && usable.client_id !== row.client_id) {
      await repository.doubt(metadata.issuer, usable.client_id);
    }
    return registeredClient(base, row);
  }
  // Another one registered at the same time: one client for all, or the loser's people would be turned away on their way back.
  const winner = await repository.get(server.id, metadata.issuer);
  return winner !== undefined && isGood(base, winner, metadata)
    ? registeredClient(base, winner)
    : wrong("registration_lost");
}

/** Its callback is for everybody: see `callbacks.ts` for what must tell the answers apart. */
const usesDocument = (base: Base, { takes_documents, names_issuer }: ServerMetadata): boolean =>
  takes_documents && names_issuer && hasDocument(base);

const hasOnlyDocument = (base: Base, { takes_documents, registration_endpoint }: ServerMetadata): boolean =>
  takes_documents && hasDocument(base) && registration_endpoint === undefined;

function isGood({ platform, tenant }: Base, kept: UpstreamClient, { token_endpoint }: ServerMetadata): boolean {
  return (
    kept.how === "dynamic" &&
    kept.token_endpoint === token_endpoint &&
    new URL(kept.redirect_uri).origin === tenant.origin &&
    (kept.expires_at === null || kept.expires_at > platform.ports.clock.now())
  );
}

async function isDoubtful(base: Base, server: Server, kept: UpstreamClient): Promise<boolean> {
  if (kept.server_revision < server.authentication_revision) return true;
  if (base.platform.ports.clock.now() < kept.updated_at + limits.registrationPause_ms) return false;
  const database = openDatabase(base.platform.bindings.DB);
  return (await lostLinks(database, base.tenant.id, server.id, kept.updated_at)) >= limits.lostLinks_count;
}

/** A doubt is no proof: where there is no new registration to be had, the old one may still do. */
function stay(base: Base, server: Server, kept: UpstreamClient, reason: string): Promise<Result<Client, TokenFailure>> {
  base.platform.log("warn", "Registering anew failed: the registration before is used", {
    tenant: base.tenant.id,
    server: server.slug,
    issuer: kept.issuer,
    reason,
  });
  return registeredClient(base, kept);
}

const registeredSecretSchema = z.strictObject({ client_secret: secretValueSchema });

async function rowOf(
  { platform, tenant, vault }: Base,
  server: Server,
  metadata: ServerMetadata,
  { client_secret, ...registration }: Registration & Pick<UpstreamClient, "redirect_uri">,
  replaced: UpstreamClient | undefined,
): Promise<UpstreamClient> {
  const now = platform.ports.clock.now();
  const { issuer, token_endpoint } = metadata;
  const revision = (replaced?.revision ?? 0) + 1;
  const binding = upstreamClientBinding(tenant.id, { server_id: server.id, issuer, token_endpoint }, revision);
  return {
    ...registration,
    ...{
      server_id: server.id,
      issuer,
      token_endpoint,
      server_revision: server.authentication_revision,
      how: "dynamic",
      revision,
    },
    authorization_endpoint: metadata.authorization_endpoint ?? null,
    credential: client_secret === undefined ? null : await vault.seal(binding, JSON.stringify({ client_secret })),
    created_at: replaced?.created_at ?? now,
    updated_at: now,
  };
}

/**
 * What is replaced, sealed for its place among the former ones.
 * @returns undefined where it is of no use: no registration, the same client, or a secret that does not open, which no renewal could use
 *   either
 */
async function formerOf(
  { tenant, vault }: Base,
  replaced: UpstreamClient,
  { client_id }: UpstreamClient,
): Promise<UpstreamClient | undefined> {
  if (replaced.how !== "dynamic" || replaced.client_id === client_id) return undefined;
  const former = { ...replaced, issuer: formerPlace(replaced.issuer, replaced.client_id) };
  if (replaced.credential === null) return former;
  const { revision } = replaced;
  const opened = await vault.open(upstreamClientBinding(tenant.id, replaced, revision), replaced.credential);
  if (!opened.ok) return undefined;
  return { ...former, credential: await vault.seal(upstreamClientBinding(tenant.id, former, revision), opened.value) };
}

/** A registration that is kept, with its secret. */
export async function registeredClient(base: Base, kept: UpstreamClient): Promise<Result<Client, TokenFailure>> {
  const { client_id, client_authentication, redirect_uri } = kept;
  const client = { client_id, client_authentication, redirect_uri, how: "dynamic" } as const;
  if (kept.credential === null) return ok({ ...client, secret: {} });
  const opened = await base.vault.open(upstreamClientBinding(base.tenant.id, kept, kept.revision), kept.credential);
  if (!opened.ok) return wrong(opened.error.reason ?? "vault_tamper");
  const secret = registeredSecretSchema.parse(JSON.parse(opened.value));
  return ok({ ...client, secret });
}
