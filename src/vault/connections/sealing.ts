/** How the credential of a connection is sealed, and with what of its row: another value in one of those columns is tampering. */
import * as z from "zod";
import { failure, type Failure } from "../../errors.ts";
import { err, ok, type Result } from "../../ports.ts";
import { connectionBinding } from "../bindings.ts";
import { jsonOf } from "../encoding.ts";
import type { Vault } from "../vault.ts";
import type { SealedConnection } from "./rows.ts";
import { heldCredentialSchema, type HeldCredential } from "./types.ts";

/** The binding has whose it is and where it is renewed; these are sealed beside it: where it may go besides, and for what it was made. */
const sealedSchema = z.strictObject({
  credential: heldCredentialSchema,
  client_id: z.string(),
  revocation_endpoint: z.string().nullable(),
  fit: z.string(),
});

type Where = Pick<
  SealedConnection,
  | ("id" | "user_id" | "target" | "account" | "issuer" | "token_endpoint" | "revision")
  | ("client_id" | "revocation_endpoint" | "fit")
>;

export function sealCredential(
  vault: Vault,
  tenant: string,
  where: Where,
  credential: HeldCredential,
): Promise<string> {
  const { client_id, revocation_endpoint, fit } = where;
  const text = JSON.stringify({ credential, client_id, revocation_endpoint, fit });
  return vault.seal(connectionBinding(tenant, where, where.revision), text);
}

/** Failures as those of `Vault.open`; also for a text that was sealed beside other values than the row has. */
export async function openCredential(
  vault: Vault,
  tenant: string,
  where: Where & Pick<SealedConnection, "credential">,
): Promise<Result<HeldCredential, Failure>> {
  const opened = await vault.open(connectionBinding(tenant, where, where.revision), where.credential);
  if (!opened.ok) return opened;
  const sealed = sealedSchema.safeParse(jsonOf(opened.value));
  if (!sealed.success) return err(failure("unavailable", undefined, { reason: "vault_form" }));
  const { credential, client_id, revocation_endpoint, fit } = sealed.data;
  const isAsSealed =
    client_id === where.client_id && revocation_endpoint === where.revocation_endpoint && fit === where.fit;
  return isAsSealed ? ok(credential) : err(failure("unavailable", undefined, { reason: "vault_tamper" }));
}
