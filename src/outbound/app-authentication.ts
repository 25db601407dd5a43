/** App authentication: how Gatehouse proves itself to a server. */
import { fitOf, type LiveCredential } from "../connections/index.ts";
import { ok, err, type Result } from "../ports.ts";
import type { Failure } from "../errors.ts";
import { isPersonal, type Authentication as Configured, type Credential, type Server } from "../registry/index.ts";
import type { HeldCredential } from "../vault/index.ts";
import { accountOf, personalProof, serviceProof, type Work } from "./live.ts";
import { header, noPerson, nothing, organisationNotAllowed, refusal, type Authentication, type Proof } from "./part.ts";
import { byClientCredentials, byRefreshToken } from "./renewals.ts";
import { credentialMismatch, openCredential } from "./secrets.ts";

export async function appAuthentication(work: Work): Promise<Result<Authentication, Failure>> {
  const { context, server } = work;
  const { authentication } = server;
  if (authentication.type === "none" || authentication.type === "passthrough") return ok(nothing);
  if (isPersonal(authentication)) {
    const held = await ofPerson(work);
    if (!held.ok) return held;
    return authentication.type === "oauth" ? fromTokens(server, held.value) : fromPasted(server, held.value);
  }
  if (!context.caller.mayUseOrganisation) return err(organisationNotAllowed(server));
  if (authentication.type === "client_credentials") {
    const how = { renew: byClientCredentials(context, server, authentication), fit: fitOf(server) };
    const proof = await serviceProof(work, { user_id: "", target: server.id, account: "service" }, how);
    return proof.ok ? fromTokens(server, heldBy(proof.value)) : proof;
  }
  const credential = await openCredential(context, server);
  if (!credential.ok) return credential;
  return fromOrganisation(server, credential.value);
}

/** What is there to be sent, and what a refusal of it would be held against. */
interface Held {
  readonly credential: LiveCredential["credential"];
  readonly proofs: readonly Proof[];
}

const heldBy = (proof: Proof): Held => ({ credential: proof.live.credential, proofs: [proof] });

async function ofPerson(work: Work): Promise<Result<Held, Failure>> {
  const { context, server } = work;
  const { user } = context.caller;
  if (user === undefined) return err(noPerson(server));
  if (context.trial !== undefined) return ok({ credential: tried(context.trial), proofs: [] });
  const account = await accountOf(work, user.id, server.id);
  const renew = server.authentication.type === "oauth" ? { renew: byRefreshToken(context, server) } : {};
  const key = { user_id: user.id, target: server.id, account };
  const proof = await personalProof(work, key, { fit: fitOf(server), ...renew });
  return proof.ok ? ok(heldBy(proof.value)) : proof;
}

function tried(held: HeldCredential): LiveCredential["credential"] {
  if (held.kind === "tokens") return { kind: "tokens", access_token: held.access_token };
  return { kind: "secret", value: held.value, ...(held.username === undefined ? {} : { username: held.username }) };
}

/** @see RFC 6750 section 2.1 */
function fromTokens(server: Server, { credential, proofs }: Held): Result<Authentication, Failure> {
  if (credential.kind !== "tokens") return err(wrongKind(server));
  return header(server, "authorization", `Bearer ${credential.access_token}`, proofs);
}

function fromPasted(server: Server, { credential, proofs }: Held): Result<Authentication, Failure> {
  if (credential.kind !== "secret") return err(wrongKind(server));
  return placed(server, credential, proofs);
}

/** Of a kind that the server had before: the person makes it anew, an administrator cannot. */
const wrongKind = (server: Server): Failure => ({
  ...refusal(server, "needs_update", "was made for another kind of authentication: connect the account again"),
  code: "link_needed",
});

function fromOrganisation(server: Server, credential: Credential): Result<Authentication, Failure> {
  const { authentication } = server;
  if (credential.type !== authentication.type) return err(credentialMismatch(server));
  switch (credential.type) {
    case "bearer":
      return placed(server, { value: credential.token });
    case "basic":
      return placed(server, { value: credential.password });
    case "api_key_header":
    case "api_key_query":
      return placed(server, { value: credential.key });
    case "headers":
      return fixedHeaders(server, authentication, credential.values);
    case "oauth":
    case "client_credentials":
      return err(credentialMismatch(server));
  }
}

interface Secret {
  readonly username?: string;
  readonly value: string;
}

/** One secret in the place that the server wants it. */
function placed(server: Server, secret: Secret, proofs: readonly Proof[] = []): Result<Authentication, Failure> {
  const { authentication } = server;
  switch (authentication.type) {
    case "bearer":
      return header(server, "authorization", `Bearer ${secret.value}`, proofs);
    case "basic": {
      // RFC 7617 section 2: user-id, colon, password in UTF-8, then base64.
      const pair = `${secret.username ?? authentication.username ?? ""}:${secret.value}`;
      return header(server, "authorization", `Basic ${new TextEncoder().encode(pair).toBase64()}`, proofs);
    }
    case "api_key_header":
      return header(server, authentication.header, secret.value, proofs);
    case "api_key_query":
      return ok({ headers: [], query: [[authentication.parameter, secret.value]], proofs });
    default:
      return err(credentialMismatch(server));
  }
}

function fixedHeaders(
  server: Server,
  authentication: Configured,
  values: readonly string[],
): Result<Authentication, Failure> {
  if (authentication.type !== "headers" || authentication.headers.length !== values.length) {
    return err(credentialMismatch(server));
  }
  return ok({ ...nothing, headers: authentication.headers.map((name, at) => [name, values[at] ?? ""] as const) });
}
