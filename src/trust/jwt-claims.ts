/** Whether the claims of a token are meant for us, now. Pure. */
import * as z from "zod";
import { limits } from "../limits.ts";
import { err, ok, type JsonObject, type Result } from "../ports.ts";

export interface ClaimsExpectation {
  /** Compared byte by byte. Undefined: the rule names none, and a token may name none either. */
  readonly issuer: string | undefined;
  /** One of these must be in `aud`. Whether `aud` may hold others as well is the caller's question. Undefined as for the issuer. */
  readonly audience: string | readonly string[] | undefined;
  /** How far ahead `exp` may lie, and how long after `iat`. */
  readonly life_ms_max?: number;
  /** Claims that must be there besides `iss`, `aud` and `exp`. */
  readonly requires?: readonly string[];
}

export interface ForeignClaims {
  /** Empty where none is expected and none is there. */
  readonly iss: string;
  readonly sub: string | undefined;
  readonly aud: readonly string[];
  /** Seconds since the Unix epoch, like the two after it. */
  readonly exp: number;
  readonly nbf: number | undefined;
  readonly iat: number | undefined;
  readonly jti: string | undefined;
  /** All of them, as they came. */
  readonly all: JsonObject;
}

/** The last second of the year 9999. Whole seconds: what has fractions, or is text, some reader rounds the other way. */
const numericDate = z.int().nonnegative().max(253_402_300_799);
const name = z.string().min(1).max(limits.jwtClaim_chars);
const claimsSchema = z.object({
  iss: name.optional(),
  sub: name.optional(),
  aud: z.union([name.transform((one) => [one]), z.array(name).min(1).max(limits.jwtAudiences_count)]).optional(),
  exp: numericDate,
  nbf: numericDate.optional(),
  iat: numericDate.optional(),
  jti: name.optional(),
});

type Claims = z.infer<typeof claimsSchema>;

/** What is wrong when the predicate holds. */
type Rule = readonly [reason: string, broken: (claims: Claims, expected: ClaimsExpectation, now: number) => boolean];

const skew_ms = limits.clockSkew_ms;

const rules: readonly Rule[] = [
  ["jwt_claims", ({ iss }, { issuer }) => issuer !== undefined && iss === undefined],
  ["jwt_claims", ({ aud }, { audience }) => audience !== undefined && aud === undefined],
  ["jwt_issuer", ({ iss }, { issuer }) => issuer !== undefined && iss !== issuer],
  [
    "jwt_audience",
    ({ aud = [] }, { audience }) => audience !== undefined && !aud.some((one) => [audience].flat().includes(one)),
  ],
  ["jwt_expired", ({ exp }, _expected, now) => now > exp * 1000 + skew_ms],
  ["jwt_not_yet", ({ nbf }, _expected, now) => nbf !== undefined && now < nbf * 1000 - skew_ms],
  ["jwt_issued_ahead", ({ iat }, _expected, now) => iat !== undefined && now < iat * 1000 - skew_ms],
  ["jwt_life", ({ exp }, { life_ms_max = Infinity }, now) => exp * 1000 > now + life_ms_max + skew_ms],
  ["jwt_life", ({ exp, iat = exp }, { life_ms_max = Infinity }) => (exp - iat) * 1000 > life_ms_max],
];

/**
 * @param now milliseconds since the Unix epoch
 * @see RFC 7519 section 4.1; RFC 8725 sections 3.8 and 3.9
 */
export function checkClaims(all: JsonObject, expected: ClaimsExpectation, now: number): Result<ForeignClaims, string> {
  const parsed = claimsSchema.safeParse(all);
  if (!parsed.success) return err("jwt_claims");
  const broken = rules.find(([, breaks]) => breaks(parsed.data, expected, now));
  if (broken !== undefined) return err(broken[0]);
  if (!(expected.requires ?? []).every((claim) => Object.hasOwn(all, claim))) return err("jwt_claim_missing");
  const { iss = "", sub, aud = [], exp, nbf, iat, jti } = parsed.data;
  return ok({ iss, sub, aud, exp, nbf, iat, jti, all });
}
