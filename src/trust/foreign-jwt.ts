/** A signed token of somebody else: from its text to claims that can be relied on. */
import { compactVerify, importJWK } from "jose";
import { err, ok, type JsonObject, type Result } from "../ports.ts";
import type { Judgement } from "./document-kind.ts";
import { fetchDocument, type DocumentQuestion } from "./documents.ts";
import type { Inquirer } from "./inquirer.ts";
import { checkClaims, type ClaimsExpectation, type ForeignClaims } from "./jwt-claims.ts";
import { readJwt, type JwtHeader } from "./jwt-form.ts";
import { foreignAlgorithms, isAlgorithm, selectKey, type Algorithm, type PublicKey } from "./key-set.ts";

/**
 * Public keys as registered, or where they are published; `client_keys` when no administrator chose that URL.
 * @see RFC 7517 section 5
 */
export type KeySource =
  | { readonly jwks: { readonly keys: readonly Readonly<Record<string, unknown>>[] } }
  | { readonly jwks_uri: string; readonly kind?: "jwks" | "client_keys" };

export interface JwtExpectation extends ClaimsExpectation {
  readonly keys: KeySource;
  /** From configuration, never from the token. By default those of `foreignAlgorithms`. */
  readonly algorithms?: readonly string[];
  /**
   * What `typ` must be, in lower case and without `application/`; of a list any, where undefined stands for a token without one. By
   * default a token that says it is something special (`at+jwt`, `logout+jwt`, `oauth-id-jag+jwt` …) is refused.
   */
  readonly typ?: string | readonly (string | undefined)[];
}

export interface JwtFailure {
  /** Stable. */
  readonly reason: string;
  /** The token may be good: its issuer's keys could not be had. */
  readonly transient: boolean;
}

const plainTypes = ["jwt", undefined];

const refused = (reason: string): Result<never, JwtFailure> => err({ reason, transient: false });

/**
 * Verifies form, type, algorithm, claims and signature, the cheap ones first: no key is fetched for a token that would be refused
 * anyhow.
 * @see RFC 7515 section 5.2; RFC 7519 section 7.2; RFC 8725 section 3
 */
export async function verifyForeignJwt(
  inquirer: Inquirer,
  text: string,
  expected: JwtExpectation,
): Promise<Result<ForeignClaims, JwtFailure>> {
  const read = readJwt(text);
  if (!read.ok) return refused(read.error);
  const { header } = read.value;
  if (![expected.typ ?? plainTypes].flat().includes(header.typ)) return refused("jwt_type");
  const { alg } = header;
  if (!isAlgorithm(alg) || !(expected.algorithms ?? foreignAlgorithms).includes(alg)) return refused("jwt_algorithm");
  const claims = checkClaims(read.value.claims, expected, inquirer.platform.ports.clock.now());
  if (!claims.ok) return refused(claims.error);
  const key = await findKey(inquirer, expected.keys, alg, header, text);
  if (!key.ok) return key;
  return (await isSignedBy(key.value, alg, text)) ? ok(claims.value) : refused("jwt_signature");
}

/** A kept key set that does not hold the key is asked for once more, as often as its cooldown allows: keys rotate. */
async function findKey(
  inquirer: Inquirer,
  source: KeySource,
  alg: Algorithm,
  { kid }: JwtHeader,
  text: string,
): Promise<Result<PublicKey, JwtFailure>> {
  if ("jwks" in source) return orRefused(selectKey(source.jwks, alg, kid));
  const asked_at = inquirer.platform.ports.clock.now();
  const question: DocumentQuestion =
    source.kind === "client_keys"
      ? { url: source.jwks_uri, kind: "client_keys", judge: (set) => judgeKeys(set, alg, kid, text) }
      : { url: source.jwks_uri, kind: "jwks" };
  const document = await fetchDocument(inquirer, question);
  if (!document.ok) return document;
  const key = selectKey(document.value.json, alg, kid);
  if (key.ok || key.error !== "key_unknown" || document.value.fetched_at >= asked_at) return orRefused(key);
  const newer = await fetchDocument(inquirer, { ...question, newer_than: document.value.fetched_at });
  return newer.ok ? orRefused(selectKey(newer.value.json, alg, kid)) : newer;
}

/** Of a URL that a stranger named, the keys are kept that signed something: otherwise any host's could be crowded out. */
async function judgeKeys(set: JsonObject, alg: Algorithm, kid: string | undefined, text: string): Promise<Judgement> {
  const key = selectKey(set, alg, kid);
  if (!key.ok) return key.error === "key_unknown" || key.error === "key_ambiguous" ? "unproven" : "wrong";
  return (await isSignedBy(key.value, alg, text)) ? "accepted" : "unproven";
}

const orRefused = (key: Result<PublicKey, string>): Result<PublicKey, JwtFailure> =>
  key.ok ? key : refused(key.error);

/** `jose` throws for a wrong signature and for a key that is too short or no key at all: the token is refused either way. */
async function isSignedBy(
  { kid: _kid, use: _use, key_ops: _operations, ...key }: PublicKey,
  alg: Algorithm,
  text: string,
): Promise<boolean> {
  try {
    await compactVerify(text, await importJWK({ ...key, alg }, alg), { algorithms: [alg] });
    return true;
  } catch {
    return false;
  }
}
