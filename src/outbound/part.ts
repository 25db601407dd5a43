/** What is added to a request, and why something cannot be. */
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import type { Server } from "../registry/index.ts";
import type { LiveCredential } from "../connections/index.ts";
import type { ConnectionKey } from "../vault/index.ts";

type Pair = readonly [name: string, value: string];

/** A credential that went into a request, so that a refusal can be held against it. */
export interface Proof {
  readonly key: ConnectionKey;
  readonly live: LiveCredential;
}

/** What stands in one header. */
export interface Value {
  readonly text: string;
  readonly proofs?: readonly Proof[];
}

/** Additions to an upstream request. They win over anything of the same name. */
export interface Authentication {
  readonly headers: readonly Pair[];
  readonly query: readonly Pair[];
  readonly proofs: readonly Proof[];
}

export const nothing: Authentication = { headers: [], query: [], proofs: [] };

const none: readonly Proof[] = [];

/**
 * RFC 9110 section 5.5, as `secretValueSchema`: what a foreign server issued is checked as well before it becomes a header.
 * @returns failure `credential_unfit`
 */
export function header(
  server: Server,
  name: string,
  value: string,
  proofs: readonly Proof[] = none,
): Result<Authentication, Failure> {
  if (!/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value)) {
    return err(refusal(server, "credential_unfit", "cannot be sent: it holds characters that no header may have"));
  }
  return ok({ headers: [[name, value]], query: [], proofs });
}

/**
 * `upstream_credential`, with a sentence for whoever called.
 * @param reason stable
 * @param what goes on after "The credential for server …"
 */
export function refusal({ slug }: Pick<Server, "slug">, reason: string, what: string): Failure {
  return failure("upstream_credential", `The credential for server "${slug}" ${what}.`, { reason });
}

export const noPerson = (server: Server): Failure =>
  refusal(
    server,
    "no_person",
    "belongs to a person, and this client calls for nobody: connect with a client that signs people in, or let an administrator choose an authentication of the organisation",
  );

export const organisationNotAllowed = (server: Server): Failure =>
  refusal(
    server,
    "organisation_not_allowed",
    "is the organisation's and is not added for callers whom Gatehouse does not know: send a token of Gatehouse in X-Gatehouse-Token",
  );

export function joined(parts: readonly Authentication[]): Authentication {
  return {
    headers: parts.flatMap(({ headers }) => headers),
    query: parts.flatMap(({ query }) => query),
    proofs: parts.flatMap(({ proofs }) => proofs),
  };
}
