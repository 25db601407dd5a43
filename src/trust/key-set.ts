/** Which of the public keys that somebody publishes belongs to a token. Pure. */
import * as z from "zod";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";

/** Key type and curve of each algorithm that we accept: never `none`, never one whose key is a shared secret. */
const algorithmKeys = {
  ES256: ["EC", "P-256"],
  ES384: ["EC", "P-384"],
  ES512: ["EC", "P-521"],
  RS256: ["RSA"],
  RS384: ["RSA"],
  RS512: ["RSA"],
  PS256: ["RSA"],
  PS384: ["RSA"],
  PS512: ["RSA"],
  EdDSA: ["OKP", "Ed25519"],
  Ed25519: ["OKP", "Ed25519"],
} as const satisfies Record<string, readonly [kty: string, crv?: string]>;

export type Algorithm = keyof typeof algorithmKeys;

/** All of them; what a token of a certain issuer may use is narrowed by configuration. @see RFC 8725 section 3.1, RFC 9864 */
export const foreignAlgorithms: readonly string[] = Object.keys(algorithmKeys);

/** Own members only, so that `constructor` is none. */
export const isAlgorithm = (name: string): name is Algorithm => Object.hasOwn(algorithmKeys, name);

const part = z.string().min(1).max(limits.jwkPart_chars);
const common = {
  kid: z.string().optional(),
  alg: z.string().optional(),
  use: z.string().optional(),
  key_ops: z.array(z.string()).optional(),
};

/** The public members of each kind of key, and nothing else of it. @see RFC 7518 section 6, RFC 8037 section 2 */
const publicKeySchema = z.discriminatedUnion("kty", [
  z.object({ kty: z.literal("EC"), crv: z.enum(["P-256", "P-384", "P-521"]), x: part, y: part, ...common }),
  z.object({ kty: z.literal("RSA"), n: part, e: part, ...common }),
  z.object({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: part, ...common }),
]);

export type PublicKey = z.infer<typeof publicKeySchema>;

/** A list of anything, since keys of unknown kinds are to be passed over. */
const keySetSchema = z.object({ keys: z.array(z.record(z.string(), z.unknown())) });

/** Whoever publishes one of these has no secret any more, or never had one. @see RFC 7518 sections 6.2.2, 6.3.2 and 6.4 */
const secretMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

const isSecret = (key: Readonly<Record<string, unknown>>): boolean =>
  key["kty"] === "oct" || secretMembers.some((member) => Object.hasOwn(key, member));

/**
 * The key for this header. The key's own word on what it is for holds, and two that fit are one too many.
 * @returns `key_unknown` when there is none: a newer set may hold it
 * @see RFC 7517 sections 4 and 5
 */
export function selectKey(set: unknown, alg: Algorithm, kid: string | undefined): Result<PublicKey, string> {
  const parsed = keySetSchema.safeParse(set);
  if (!parsed.success) return err("key_set_invalid");
  const { keys } = parsed.data;
  if (keys.length > limits.jwks_keys_count) return err("key_set_too_large");
  if (keys.some(isSecret)) return err("key_set_not_public");
  const fitting = keys.flatMap((key) => {
    const known = publicKeySchema.safeParse(key);
    return known.success && fits(known.data, alg) && (kid === undefined || known.data.kid === kid) ? [known.data] : [];
  });
  const [key, other] = fitting;
  if (key === undefined) return err("key_unknown");
  return other === undefined ? ok(key) : err("key_ambiguous");
}

function fits(key: PublicKey, alg: Algorithm): boolean {
  const [kty, crv] = algorithmKeys[alg];
  return (
    key.kty === kty &&
    (key.kty === "RSA" || key.crv === crv) &&
    (key.alg === undefined || key.alg === alg || (kty === "OKP" && isAlgorithm(key.alg))) &&
    (key.use === undefined || key.use === "sig") &&
    (key.key_ops === undefined || key.key_ops.includes("verify"))
  );
}
