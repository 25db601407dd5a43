/** Checks of a server's configuration that have to look something up: credentials that must be there, keys that must be readable, other servers. */
import { importPKCS8 } from "jose";
import { mixedUpWith, storedCredentialsRepository } from "../connections/index.ts";
import { openDatabase } from "../db/index.ts";
import type { Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { serversRepository, type ClientSecret } from "../registry/index.ts";
import type { AdminDependencies } from "./dependencies.ts";
import type { ServerWish } from "./server-wish.ts";
import { invalidField } from "./validation.ts";

/** @returns undefined when all is there */
export async function checkReferences(admin: AdminDependencies, wish: ServerWish): Promise<Failure | undefined> {
  return (
    (await checkStoredCredentials(admin, wish)) ?? (await checkPrivateKeys(wish)) ?? checkSharedCallback(admin, wish)
  );
}

/** Told early; each link is judged again, since two administrators may save at the same time. */
async function checkSharedCallback(admin: AdminDependencies, wish: ServerWish): Promise<Failure | undefined> {
  if (wish.authentication.type !== "oauth" || wish.authentication.shared_callback !== true) return undefined;
  const repository = serversRepository(openDatabase(admin.database), admin.tenant);
  const servers = await repository.page(undefined, limits.serversPerTenant_count);
  const [other] = mixedUpWith(servers, wish);
  if (other === undefined) return undefined;
  return invalidField(
    "authentication.shared_callback",
    `${other.slug} has it too and may be of another vendor, who could take the codes of this one: leave it out and register the server's own redirect URI, or give both the same issuer or endpoints`,
  );
}

async function checkStoredCredentials(
  admin: AdminDependencies,
  { outbound_headers, agent_authentication }: ServerWish,
): Promise<Failure | undefined> {
  const repository = storedCredentialsRepository(openDatabase(admin.database), admin.tenant);
  for (const [at, recipe] of outbound_headers.entries()) {
    if (recipe.source !== "stored_credential") continue;
    const path = `outbound_headers.${at}.credential_id`;
    const stored = await repository.get(recipe.credential_id);
    if (stored === undefined) return invalidField(path, "there is no stored credential with this id");
    if (stored.holder === "user" && agent_authentication.type === "machine") {
      return invalidField(path, "belongs to people, and agent_authentication machine takes none");
    }
  }
  return undefined;
}

async function checkPrivateKeys({ credential, header_secrets }: ServerWish): Promise<Failure | undefined> {
  const secrets: (readonly [string, ClientSecret])[] = Object.entries(header_secrets).flatMap(([name, secret]) =>
    secret === null ? [] : [[`header_secrets.${name}`, secret] as const],
  );
  if (credential?.type === "oauth" || credential?.type === "client_credentials") {
    secrets.push(["credential", credential]);
  }
  for (const [path, { private_key, algorithm }] of secrets) {
    if (private_key === undefined || algorithm === undefined) continue;
    if (!(await isReadable(private_key, algorithm))) {
      return invalidField(`${path}.private_key`, `must be a private key for ${algorithm}, PKCS #8 in PEM`);
    }
  }
  return undefined;
}

/** The error of the library is dropped: its text may quote the key. */
async function isReadable(private_key: string, algorithm: string): Promise<boolean> {
  try {
    await importPKCS8(private_key, algorithm);
    return true;
  } catch {
    return false;
  }
}
