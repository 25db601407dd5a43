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

/** The secrets of a server's outbound headers: column `header_secrets` of its row in `servers`. */
export const serverHeaderSecretsBinding = (tenant: string, server_id: string, revision: number): Binding => ({
  purpose: "server-header-secrets",
  tenant,
  record: server_id,
  field: "header_secrets",
  revision,
});

/**
 * The client secret that an authorization server gave us: column `credential` of its row in `upstream_clients`. Issuer and token
 * endpoint are part of it: it is sent to no other.
 */
export const upstreamClientBinding = (
  tenant: string,
  { server_id, issuer, token_endpoint }: Readonly<Record<"server_id" | "issuer" | "token_endpoint", string>>,
  revision: number,
): Binding => ({
  purpose: "upstream-client",
  tenant,
  record: JSON.stringify([server_id, issuer, token_endpoint]),
  field: "credential",
  revision,
});

/** A credential that the organisation keeps by name: column `credential` of its row in `stored_credentials`. */
export const storedCredentialBinding = (tenant: string, id: string, revision: number): Binding => ({
  purpose: "stored-credential",
  tenant,
  record: id,
  field: "credential",
  revision,
});

/** What the way back from a provider needs: column `pending` of its row in `link_attempts`, which never changes. */
export const linkAttemptBinding = (tenant: string, state_hash: string): Binding => ({
  purpose: "link-attempt",
  tenant,
  record: state_hash,
  field: "pending",
  revision: 0,
});

type ConnectionRow = Readonly<Record<"id" | "user_id" | "target" | "account" | "issuer" | "token_endpoint", string>>;

/**
 * A credential of a person or of the organisation: column `credential` of its row in `connections`. Whose it is, what for, and where it
 * may go are part of it: a row whose owner, server, issuer or endpoint was edited does not open.
 */
export const connectionBinding = (
  tenant: string,
  { id, user_id, target, account, issuer, token_endpoint }: ConnectionRow,
  revision: number,
): Binding => ({
  purpose: "connection",
  tenant,
  record: JSON.stringify([id, user_id, target, account, issuer, token_endpoint]),
  field: "credential",
  revision,
});
