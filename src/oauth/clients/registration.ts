/** How a client that an administrator registered may get tokens: the column `oauth` of its row in `clients`. */
import * as z from "zod";
import { limits } from "../../limits.ts";

const httpsUrl = z
  .url({ protocol: /^https$/ })
  .max(limits.upstreamUrl_chars)
  .describe("https URL");

/** An object of public keys; private and symmetric ones are refused where it is used. @see RFC 7517 section 5 */
export const jwksSchema = z.object({
  keys: z.array(z.record(z.string(), z.unknown())).min(1).max(limits.jwks_keys_count),
});

export const workloadSchema = z.strictObject({
  issuer: httpsUrl.describe("Exactly as in the `iss` of the workload's tokens"),
  jwks_uri: httpsUrl.optional().describe("Where its keys are; from its OpenID discovery document otherwise"),
  audience: z.string().min(1).max(512).optional().describe("What `aud` must hold; the tenant's issuer otherwise"),
  claims: z
    .record(z.string().min(1).max(100), z.string().min(1).max(512))
    .refine(
      (claims) => Object.keys(claims).length > 0,
      "name at least one claim, or every workload of the issuer would do",
    )
    .describe("Claims that must all be there with exactly this value"),
});

export const registrationMetadataSchema = z.strictObject({
  /** Where codes may be sent. Empty for clients that act for themselves. */
  redirect_uris: z
    .array(z.string().min(1).max(limits.redirectUri_chars))
    .max(limits.redirectUrisPerClient_count)
    .default([]),
  authentication: z.enum(["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]),
  jwks: jwksSchema.optional(),
  jwks_uri: httpsUrl.optional(),
  grant_types: z
    .array(
      z.enum([
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
      ]),
    )
    .min(1)
    .max(4),
  /** People are not asked for consent. Confidential clients only. */
  pre_approved: z.boolean().default(false),
  workloads: z.array(workloadSchema).max(20).default([]),
});

export type RegistrationMetadata = z.infer<typeof registrationMetadataSchema>;
