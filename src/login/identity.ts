/** Who the provider says that somebody is: verified claims, read once. */
import * as z from "zod";
import { err, ok, type Result } from "../ports.ts";
import type { SignInFailure } from "./failures.ts";
import { knownOf } from "./provider-kinds.ts";
import type { StoredProvider } from "./providers.ts";

/** Claims whose signature, issuer and audience are verified. */
export type VerifiedClaims = Readonly<Record<string, unknown>>;

export interface Identity {
  readonly subject: string;
  readonly email: string | null;
  readonly email_verified: boolean;
  readonly name: string | null;
}

/** OpenID Connect Core 1.0 section 2: `sub` has at most 255 characters of ASCII. */
const subjectSchema = z.string().regex(/^[\x20-\x7e]{1,255}$/);
const emailSchema = z
  .string()
  .max(254)
  .regex(/^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u);

/** Names are shown, and events quote them: no control, bidirectional or zero-width characters. */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const name_chars = 200;

export const groupsClaimOf = ({ kind, options }: StoredProvider): string =>
  options.groups_claim ?? knownOf(kind).groupsClaim;

/** An address counts as verified only by the provider's word, or by the administrator's for the whole directory. */
export function isVerified({ kind, options }: StoredProvider, claims: VerifiedClaims): boolean {
  const word = claims["email_verified"];
  if (word === true) return true;
  if (word !== undefined) return false;
  const edov = claims["xms_edov"];
  // Entra's optional claim: the owner of the domain vouches for the address.
  return options.trusts_email || (kind === "entra" && (edov === true || edov === 1 || edov === "1"));
}

export function readIdentity(provider: StoredProvider, claims: VerifiedClaims): Result<Identity, SignInFailure> {
  const subject = subjectSchema.safeParse(claims["sub"]);
  if (!subject.success) return err("id_token_invalid");
  const { domains } = provider.options;
  const domain = claims["hd"];
  if (domains.length > 0 && (typeof domain !== "string" || !domains.includes(domain.toLowerCase()))) {
    return err("domain_not_admitted");
  }
  const email = emailSchema.safeParse(claims["email"]);
  const given = claims["name"];
  const name = typeof given === "string" ? given.replace(invisible, "").trim().slice(0, name_chars) : "";
  return ok({
    subject: subject.data,
    email: email.success ? email.data : null,
    email_verified: email.success && isVerified(provider, claims),
    name: name === "" || !name.isWellFormed() ? null : name,
  });
}
