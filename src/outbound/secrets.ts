/** The organisation's secrets of a server, opened. */
import { failure, type Failure } from "../errors.ts";
import { ok, err, type Result } from "../ports.ts";
import {
  headerSecretFor,
  isGivenFor,
  readSealedCredential,
  readSealedHeaders,
  type Credential,
  type HeaderSecret,
  type OutboundHeader,
  type SealedCredential,
  type SealedHeaders,
  type Server,
} from "../registry/index.ts";
import { serverCredentialBinding, serverHeaderSecretsBinding } from "../vault/index.ts";
import type { OutboundContext } from "./context.ts";
import { Memory } from "./memory.ts";
import { refusal } from "./part.ts";

const credentials = new Memory<SealedCredential>();
const headerSecrets = new Memory<SealedHeaders>();

/** A change counts the revision of the server up; a revocation, the version of the snapshot. */
const nameOf = ({ tenant, snapshot }: OutboundContext, { id, revision }: Server): string =>
  JSON.stringify([tenant.id, snapshot.version, id, revision]);

/** The row was edited by somebody else than Gatehouse: what was given for another place stays here. */
const elsewhere = (): Failure => failure("unavailable", undefined, { reason: "vault_tamper" });

/**
 * @returns `upstream_credential`: none is stored (`credential_missing`), or the stored one is of another kind (`credential_mismatch`);
 *   the vault's own failure where it does not open, or was given for another address or use
 */
export async function openCredential(context: OutboundContext, server: Server): Promise<Result<Credential, Failure>> {
  if (server.credential === null) {
    return err(refusal(server, "credential_missing", "is not stored: an administrator must set it"));
  }
  const now = context.platform.ports.clock.now();
  const name = nameOf(context, server);
  let sealed = credentials.get(name, now);
  if (sealed === undefined) {
    const binding = serverCredentialBinding(context.tenant.id, server.id, server.revision);
    const opened = await context.vault.open(binding, server.credential);
    if (!opened.ok) return opened;
    sealed = readSealedCredential(opened.value);
    if (sealed === undefined) return err(credentialMismatch(server));
    credentials.set(name, sealed, now);
  }
  return isGivenFor(sealed, server) ? ok(sealed.credential) : err(elsewhere());
}

export const credentialMismatch = (server: Server): Failure =>
  refusal(server, "credential_mismatch", "does not fit its authentication: an administrator must set it again");

/** @returns failures as of `openCredential`, for one header of `outbound_headers` */
export async function openHeaderSecret(
  context: OutboundContext,
  server: Server,
  recipe: OutboundHeader,
): Promise<Result<HeaderSecret, Failure>> {
  const missing = refusal(
    server,
    "header_secret_missing",
    `in header ${recipe.name} is not stored: an administrator must set it`,
  );
  if (server.header_secrets === null) return err(missing);
  const now = context.platform.ports.clock.now();
  const name = nameOf(context, server);
  let sealed = headerSecrets.get(name, now);
  if (sealed === undefined) {
    const binding = serverHeaderSecretsBinding(context.tenant.id, server.id, server.revision);
    const opened = await context.vault.open(binding, server.header_secrets);
    if (!opened.ok) return opened;
    sealed = readSealedHeaders(opened.value);
    headerSecrets.set(name, sealed, now);
  }
  const secret = headerSecretFor(sealed, server, recipe);
  if (secret === "elsewhere") return err(elsewhere());
  return secret === undefined ? err(missing) : ok(secret);
}
