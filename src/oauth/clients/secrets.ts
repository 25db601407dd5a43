/** Secrets of clients, looked up by their hash; see `sha256.ts`. */
import { and, eq, gt, isNull } from "drizzle-orm";
import { dynamic_clients, openDatabase, tokens } from "../../db/index.ts";
import type { Visit } from "../../login/index.ts";
import { limits } from "../../limits.ts";
import type { Random } from "../../ports.ts";
import { sha256 } from "../../sha256.ts";

/** The prefix lets secret scanners find a leaked one. */
const prefix = "ghs_";

export interface MintedSecret {
  /** Shown once, in the answer that mints it. */
  readonly secret: string;
  readonly hash: string;
}

/** A secret of 256 random bits. */
export async function mintClientSecret(random: Random): Promise<MintedSecret> {
  const secret = prefix + random.bytes(limits.token_bytes).toBase64({ alphabet: "base64url", omitPadding: true });
  return { secret, hash: await sha256(secret) };
}

/**
 * Whether the secret is one of this client: of a registered one any that is neither revoked nor expired, of one that registered itself
 * its only one. Both are asked whatever kind of client it is, and for ids that do not exist as well, so that time tells nothing.
 */
export async function isClientSecret({ platform, tenant }: Visit, client_id: string, secret: string): Promise<boolean> {
  const database = openDatabase(platform.bindings.DB);
  const now = platform.ports.clock.now();
  const hash = await sha256(secret);
  const [registered, dynamic] = await database.batch([
    database
      .select({ id: tokens.id })
      .from(tokens)
      .where(
        and(
          eq(tokens.tenant_id, tenant.id),
          eq(tokens.hash, hash),
          eq(tokens.kind, "secret"),
          eq(tokens.client_id, client_id),
          isNull(tokens.revoked_at),
          gt(tokens.expires_at, now),
        ),
      ),
    database
      .select({ id: dynamic_clients.id })
      .from(dynamic_clients)
      .where(
        and(
          eq(dynamic_clients.tenant_id, tenant.id),
          eq(dynamic_clients.id, client_id),
          eq(dynamic_clients.secret_hash, hash),
          gt(dynamic_clients.expires_at, now),
        ),
      ),
  ]);
  return registered.length + dynamic.length > 0;
}
