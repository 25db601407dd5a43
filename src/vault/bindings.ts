/** Where each kind of sealed text stands. One line for each, so that the writer and the reader cannot differ. */
import type { Binding } from "./sealed-record.ts";

/** The secrets of an upstream server: column `credential` of its row in `servers`. */
export const serverCredentialBinding = (tenant: string, server_id: string, revision: number): Binding => ({
  purpose: "server-credential",
  tenant,
  record: server_id,
  field: "credential",
  revision,
});

/** The private half of a signing key: column `private_key` of its row in `signing_keys`. */
export const signingKeyBinding = (tenant: string, kid: string): Binding => ({
  purpose: "signing-key",
  tenant,
  record: kid,
  field: "private_key",
  revision: 0,
});

/** The refresh token of this generation, in the object of its grant: whoever lost the answer that held it gets it again. */
export const refreshSuccessorBinding = (tenant: string, grant_id: string, generation: number): Binding => ({
  purpose: "refresh-successor",
  tenant,
  record: grant_id,
  field: "successor",
  revision: generation,
});

/** The client secret of an identity provider: column `credential` of its row in `identity_providers`. */
export const providerCredentialBinding = (tenant: string, provider_id: string, revision: number): Binding => ({
  purpose: "provider-credential",
  tenant,
  record: provider_id,
  field: "credential",
  revision,
});

/** A credential of a person: column `credential` of its row in `connections`. The issuer is part of it: it is sent to no other. */
export const connectionBinding = (
  tenant: string,
  { user_id, target, account, issuer }: Readonly<Record<"user_id" | "target" | "account" | "issuer", string>>,
  revision: number,
): Binding => ({
  purpose: "connection",
  tenant,
  record: JSON.stringify([user_id, target, account, issuer]),
  field: "credential",
  revision,
});
