/**
 * A secret at rest: a JWE with a random data key for each record, wrapped under the tenant's key (A256GCMKW). The place
 * where it stands is authenticated but never stored, so a row that was moved or rolled back does not open.
 * @see RFC 7516 (JWE), RFC 7518 section 4.7 (A256GCMKW) and section 5.3 (A256GCM)
 */
import { base64url, FlattenedEncrypt, flattenedDecrypt } from "jose";
import * as z from "zod";
import { lengthPrefixed, jsonOf, textOf } from "./encoding.ts";

/** Where a sealed text stands. Rebuilt from the row on each read. */
export interface Binding {
  /** What the text is for, for instance `server-credential`. */
  readonly purpose: string;
  readonly tenant: string;
  /** Id of the row. */
  readonly record: string;
  /** Column, or member of the row, that holds the text. */
  readonly field: string;
  /** Counts up with each change of what the secret belongs to. */
  readonly revision: number;
}

const algorithm = { alg: "A256GCMKW", enc: "A256GCM" } as const;
const part = z.string().refine((text) => {
  // The spare bits of the last character would be a second spelling of the same bytes.
  const bytes = bytesOf(text);
  return bytes !== undefined && base64url.encode(bytes) === text;
});
const storedSchema = z.strictObject({ protected: part, encrypted_key: part, iv: part, ciphertext: part, tag: part });
const headerSchema = z.strictObject({
  alg: z.literal(algorithm.alg),
  enc: z.literal(algorithm.enc),
  kid: z.string(),
  iv: z.string(),
  tag: z.string(),
});

export type StoredRecord = z.infer<typeof storedSchema>;

export async function sealRecord(key: CryptoKey, kid: string, binding: Binding, plaintext: string): Promise<string> {
  if (!plaintext.isWellFormed()) throw new TypeError("A text to be sealed is not well-formed.");
  const sealed = await new FlattenedEncrypt(new TextEncoder().encode(plaintext))
    .setProtectedHeader({ ...algorithm, kid })
    .setAdditionalAuthenticatedData(authenticated(binding))
    .encrypt(key);
  const { aad: _neverStored, ...stored } = sealed;
  return serialize(storedSchema.parse(stored));
}

/** @returns the record and the id of the key that wraps it, or undefined when the text is no record */
export function parseRecord(sealed: string): { readonly stored: StoredRecord; readonly kid: string } | undefined {
  const stored = storedSchema.safeParse(jsonOf(sealed));
  // One spelling only: other white space, order or escapes are somebody else's work.
  if (!stored.success || serialize(stored.data) !== sealed) return undefined;
  const header = headerSchema.safeParse(jsonOf(textOf(new Uint8Array(base64url.decode(stored.data.protected)))));
  return header.success ? { stored: stored.data, kid: header.data.kid } : undefined;
}

/** @returns the text, or undefined for every defect alike */
export async function openRecord(key: CryptoKey, binding: Binding, stored: StoredRecord): Promise<string | undefined> {
  try {
    const opened = await flattenedDecrypt({ ...stored, aad: base64url.encode(authenticated(binding)) }, key, {
      keyManagementAlgorithms: [algorithm.alg],
      contentEncryptionAlgorithms: [algorithm.enc],
    });
    return textOf(new Uint8Array(opened.plaintext));
  } catch {
    return undefined;
  }
}

function authenticated({ purpose, tenant, record, field, revision }: Binding): Uint8Array {
  if (!Number.isSafeInteger(revision)) throw new TypeError("The revision of a binding is not an integer.");
  return lengthPrefixed(["gatehouse.record.v1", purpose, tenant, record, field, String(revision)]);
}

const serialize = (record: StoredRecord): string =>
  JSON.stringify({
    protected: record.protected,
    encrypted_key: record.encrypted_key,
    iv: record.iv,
    ciphertext: record.ciphertext,
    tag: record.tag,
  });

function bytesOf(text: string): Uint8Array | undefined {
  try {
    return base64url.decode(text);
  } catch {
    return undefined;
  }
}
