/**
 * The key that signs the access tokens of a tenant. The first is made when it is first needed, exactly once; each next one is made
 * by the cron, and published a day before it signs.
 */
import { importJWK } from "jose";
import * as z from "zod";
import { BoundedMap } from "../../bounded-map.ts";
import { openDatabase } from "../../db/index.ts";
import { limits } from "../../limits.ts";
import type { Visit } from "../../login/index.ts";
import type { Platform } from "../../platform.ts";
import { announceChange } from "../../tenant/index.ts";
import { signingKeyBinding, type Vault } from "../../vault/index.ts";
import { signingKeyRows, type PublicKey, type SigningKeyRow } from "./key-rows.ts";
import { makeSigningKey } from "./make-key.ts";

export interface SigningKey {
  readonly kid: string;
  readonly key: CryptoKey;
}

/** What making and reading keys needs; a `Visit` is one. */
export type Keeper = Pick<Visit, "platform" | "vault"> & { readonly tenant: { readonly id: string } };

const privateKeySchema = z.strictObject({
  kty: z.literal("EC"),
  crv: z.literal("P-256"),
  x: z.string(),
  y: z.string(),
  d: z.string(),
});

/** Imported keys, by tenant and key id. They are not extractable. */
const imported = new BoundedMap<SigningKey>(limits.signingKeys_count);

/** @throws when D1 fails, or when the row does not open: then nothing is signed */
export async function signingKey(keeper: Keeper): Promise<SigningKey> {
  const { tenant, vault } = keeper;
  const row = await activeRow(keeper);
  const name = `${tenant.id}:${row.kid}`;
  const known = imported.get(name);
  if (known !== undefined) return known;
  const opened = await vault.open(signingKeyBinding(tenant.id, row.kid), row.private_key);
  if (!opened.ok && opened.error.reason === "vault_key_unknown") return replacementOf(keeper, row);
  if (!opened.ok) throw new Error("A signing key does not open.", { cause: opened.error.reason });
  const jwk = privateKeySchema.parse(JSON.parse(opened.value));
  const key = await importJWK(jwk, "ES256", { extractable: false });
  if (key instanceof Uint8Array) throw new Error("A signing key is symmetric.");
  const usable: SigningKey = { kid: row.kid, key };
  imported.set(name, usable);
  return usable;
}

/** The key-encryption key under which it was sealed is gone from the ring: it verifies what it signed, and another one signs. */
async function replacementOf(keeper: Keeper, { kid }: SigningKeyRow): Promise<SigningKey> {
  const { platform, tenant } = keeper;
  platform.log("error", "A signing key cannot be opened any more; another one takes its place", {
    tenant: tenant.id,
    kid,
  });
  await signingKeyRows(openDatabase(platform.bindings.DB), tenant.id).retire(kid, platform.ports.clock.now());
  return signingKey(keeper);
}

/** Makes the first key where there is none, so that it is known everywhere before the first token comes. */
export async function ensureSigningKey(keeper: Keeper): Promise<void> {
  await activeRow(keeper);
}

/** Public keys of the tenant, in the order of their activation. @see RFC 7517 section 5 */
export async function jwksDocument(visit: Visit): Promise<{ keys: PublicKey[] }> {
  const { platform, tenant } = visit;
  await ensureSigningKey(visit);
  const rows = signingKeyRows(openDatabase(platform.bindings.DB), tenant.id);
  return { keys: await rows.published(platform.ports.clock.now()) };
}

async function activeRow({ platform, tenant, vault }: Keeper): Promise<SigningKeyRow> {
  const rows = signingKeyRows(openDatabase(platform.bindings.DB), tenant.id);
  const now = platform.ports.clock.now();
  const known = await rows.active(now);
  if (known !== undefined) return known;
  const made = await makeSigningKey(platform.ports, vault, tenant.id, now);
  // Whoever is not told learns of the key within `limits.snapshotLife_ms`, or when it sees its first token.
  if (await rows.insertFirst(made, now)) await announceChange(platform, tenant.id);
  const active = await rows.active(now);
  if (active === undefined) throw new Error("A tenant has no signing key after one was made.");
  return active;
}

/**
 * What the cron does: makes the next key in time and forgets expired ones. A tenant that never needed a key gets none.
 * @returns whether a key was made
 */
export async function keepSigningKeys(platform: Platform, vault: Vault, tenant: string): Promise<boolean> {
  const rows = signingKeyRows(openDatabase(platform.bindings.DB), tenant);
  const now = platform.ports.clock.now();
  await rows.removeExpired(now);
  const last = await rows.last(now);
  if (last === undefined || last.retired_at - now > limits.signingKeyAhead_ms) return false;
  const active_at = Math.max(last.retired_at, now + limits.signingKeyAhead_ms);
  const made = await rows.insertNext(await makeSigningKey(platform.ports, vault, tenant, active_at), last);
  if (made) await announceChange(platform, tenant);
  return made;
}
