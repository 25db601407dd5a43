/**
 * The sealed secrets of a server, when it is made and when it changes. A secret stays only with the address and the use it was given
 * for: whoever may edit a server could otherwise send it to a host of their own, without ever reading it.
 */
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import {
  canonicalHeader,
  headerSecretFor,
  isGivenFor,
  placeOfCredential,
  placeOfHeader,
  readSealedCredential,
  readSealedHeaders,
  takesSecret,
  textOfCredential,
  textOfHeaderSecrets,
  type Credential,
  type HeaderSecret,
  type HeaderSecrets,
  type StoredServer,
} from "../registry/index.ts";
import { serverCredentialBinding, serverHeaderSecretsBinding } from "../vault/index.ts";
import type { AdminDependencies } from "./dependencies.ts";
import type { ServerWish } from "./server-wish.ts";

export interface SealedSecrets {
  readonly credential: string | null;
  readonly header_secrets: string | null;
  readonly revision: number;
}

export interface NextSecrets extends SealedSecrets {
  /** What a change took away besides what was asked for: `credential`, or a header by name. */
  readonly dropped: { readonly credential: boolean; readonly headers: readonly string[] };
}

export async function firstSecrets(admin: AdminDependencies, id: string, wish: ServerWish): Promise<SealedSecrets> {
  const revision = 1;
  return {
    credential: await sealCredential(admin, { ...wish, id, revision }, wish.credential ?? undefined),
    header_secrets: await sealHeaders(admin, { ...wish, id, revision }, given(wish)),
    revision,
  };
}

/** @param touched whether the request names a secret or what one depends on: then there is a new revision */
export async function nextSecrets(
  admin: AdminDependencies,
  server: StoredServer,
  wish: ServerWish,
  touched: boolean,
): Promise<Result<NextSecrets, Failure>> {
  const { credential, header_secrets, revision: former } = server;
  if (!touched) {
    return ok({ credential, header_secrets, revision: former, dropped: { credential: false, headers: [] } });
  }
  const revision = former + 1;
  const own = await nextCredential(admin, server, wish, revision);
  if (!own.ok) return own;
  const headers = await nextHeaders(admin, server, wish);
  if (!headers.ok) return headers;
  return ok({
    credential: own.value.sealed,
    header_secrets: await sealHeaders(admin, { ...wish, id: server.id, revision }, headers.value.secrets),
    revision,
    dropped: { credential: own.value.dropped, headers: headers.value.dropped },
  });
}

async function nextCredential(
  admin: AdminDependencies,
  server: StoredServer,
  wish: ServerWish,
  revision: number,
): Promise<Result<{ readonly sealed: string | null; readonly dropped: boolean }, Failure>> {
  const next = { ...wish, id: server.id, revision };
  if (wish.credential !== undefined) {
    return ok({ sealed: await sealCredential(admin, next, wish.credential ?? undefined), dropped: false });
  }
  if (server.credential === null) return ok({ sealed: null, dropped: false });
  if (placeOfCredential(wish) !== placeOfCredential(server)) return ok({ sealed: null, dropped: true });
  const opened = await openCredential(admin, server, server.credential);
  if (!opened.ok) return opened;
  if (opened.value === undefined) return ok({ sealed: null, dropped: true });
  return ok({ sealed: await sealCredential(admin, next, opened.value), dropped: false });
}

/**
 * Failures as those of `Vault.open`: a credential that was given for another place must not be sealed for this one.
 * @returns undefined where it was sealed in another form: nobody can tell what it was given for
 */
async function openCredential(
  admin: AdminDependencies,
  server: StoredServer,
  credential: string,
): Promise<Result<Credential | undefined, Failure>> {
  const opened = await admin.vault.open(serverCredentialBinding(admin.tenant, server.id, server.revision), credential);
  if (!opened.ok) return opened;
  const sealed = readSealedCredential(opened.value);
  if (sealed === undefined) return ok(undefined);
  return isGivenFor(sealed, server) ? ok(sealed.credential) : err(tampered());
}

/** Whether the stored credential opens and was given for what the server is now: without that no call is made with it. */
export async function isCredentialGood(admin: AdminDependencies, server: StoredServer): Promise<boolean> {
  if (server.credential === null) return false;
  const opened = await openCredential(admin, server, server.credential);
  return opened.ok && opened.value !== undefined;
}

const tampered = (): Failure => failure("unavailable", undefined, { reason: "vault_tamper" });

interface NextHeaders {
  readonly secrets: HeaderSecrets;
  readonly dropped: readonly string[];
}

async function nextHeaders(
  admin: AdminDependencies,
  server: StoredServer,
  wish: ServerWish,
): Promise<Result<NextHeaders, Failure>> {
  const named = new Set(Object.keys(wish.header_secrets).map(canonicalHeader));
  const leaves = wish.outbound_headers.some(
    (recipe) => takesSecret(recipe) && !named.has(canonicalHeader(recipe.name)),
  );
  // What does not open any more must not stand in the way of putting something else in its place.
  const stored = leaves ? await openHeaders(admin, server) : ok(new Map<string, HeaderSecret>());
  if (!stored.ok) return stored;
  const former = new Set(server.outbound_headers.map((recipe) => placeOfHeader(server, recipe)));
  const kept: [string, HeaderSecret][] = [];
  const dropped: string[] = [];
  for (const recipe of wish.outbound_headers) {
    const name = canonicalHeader(recipe.name);
    const secret = stored.value.get(name);
    if (secret === undefined || named.has(name)) continue;
    if (former.has(placeOfHeader(wish, recipe))) kept.push([name, secret]);
    else dropped.push(recipe.name);
  }
  return ok({ secrets: { ...Object.fromEntries(kept), ...given(wish) }, dropped });
}

/** By canonical name; without those that are to go. */
function given({ header_secrets }: ServerWish): HeaderSecrets {
  return Object.fromEntries(
    Object.entries(header_secrets).flatMap(([name, secret]) =>
      secret === null ? [] : [[canonicalHeader(name), secret] as const],
    ),
  );
}

/** By canonical name. Failures as of `openCredential`. */
async function openHeaders(
  admin: AdminDependencies,
  server: StoredServer,
): Promise<Result<ReadonlyMap<string, HeaderSecret>, Failure>> {
  const { id, revision, header_secrets } = server;
  if (header_secrets === null) return ok(new Map());
  const opened = await admin.vault.open(serverHeaderSecretsBinding(admin.tenant, id, revision), header_secrets);
  if (!opened.ok) return opened;
  const sealed = readSealedHeaders(opened.value);
  const secrets = new Map<string, HeaderSecret>();
  for (const recipe of server.outbound_headers) {
    const secret = headerSecretFor(sealed, server, recipe);
    if (secret === "elsewhere") return err(tampered());
    if (secret !== undefined) secrets.set(canonicalHeader(recipe.name), secret);
  }
  return ok(secrets);
}

/** The headers that need a secret, each with whether one is stored. What does not open counts as none. */
export async function headerSecretsOf(
  admin: AdminDependencies,
  server: StoredServer,
): Promise<Readonly<Record<string, { readonly set: boolean }>>> {
  const recipes = server.outbound_headers.filter(takesSecret);
  if (recipes.length === 0) return {};
  const opened = await openHeaders(admin, server);
  const names = new Set(opened.ok ? opened.value.keys() : []);
  return Object.fromEntries(recipes.map(({ name }) => [name, { set: names.has(canonicalHeader(name)) }]));
}

/** A server as it will be stored. */
type Next = Pick<StoredServer, "id" | "revision" | "url" | "authentication" | "outbound_headers">;

async function sealCredential(
  admin: AdminDependencies,
  next: Next,
  credential: Credential | undefined,
): Promise<string | null> {
  if (credential === undefined) return null;
  const binding = serverCredentialBinding(admin.tenant, next.id, next.revision);
  return admin.vault.seal(binding, textOfCredential(next, credential));
}

async function sealHeaders(admin: AdminDependencies, next: Next, secrets: HeaderSecrets): Promise<string | null> {
  if (Object.keys(secrets).length === 0) return null;
  const binding = serverHeaderSecretsBinding(admin.tenant, next.id, next.revision);
  return admin.vault.seal(binding, textOfHeaderSecrets(next, secrets));
}
