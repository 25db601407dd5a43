/** App authentication: how Gatehouse authenticates to a server. The kind and its public part; the secrets are kept apart, sealed. */
import * as z from "zod";
import { limits } from "../limits.ts";
import { headerNameSchema } from "./header-name.ts";

const parameterNameSchema = z.string().regex(/^[A-Za-z0-9_.~-]{1,64}$/, "must be a query parameter name");

/** URLs of endpoints are judged by the egress guard as well, when they are saved and at each use. */
const endpointSchema = z.string().min(1).max(limits.upstreamUrl_chars);

/** One credential for everybody, or each person's own. */
const holderSchema = z.enum(["organisation", "user"]).default("organisation");

/** Shown to people who are asked for their own: where to find it, what it must be allowed. */
const hintSchema = z.string().max(limits.credentialHint_chars).optional();

export const scopesSchema = z
  .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, "must be a scope (RFC 6749 section 3.3)"))
  .max(limits.scopes_count);

const clientIdSchema = z.string().regex(/^[\x20-\x7e]{1,512}$/, "visible ASCII only");

export const clientAuthenticationSchema = z.enum([
  "none",
  "client_secret_basic",
  "client_secret_post",
  "private_key_jwt",
]);
export type ClientAuthentication = z.infer<typeof clientAuthenticationSchema>;

/** `resource` of RFC 8707: null sends none; left out, it is the server's own. */
const resourceSchema = z.string().min(1).max(limits.upstreamUrl_chars).nullable().optional();

const oauthSchema = z.strictObject({
  type: z.literal("oauth"),
  /** The only authorization server that is taken. Left out: the one that the server names (RFC 9728), kept from the first link on. */
  issuer: endpointSchema.optional(),
  /** For vendors that publish no metadata. Nothing is discovered then; needs `client_id`. */
  endpoints: z
    .strictObject({ authorization: endpointSchema, token: endpointSchema, revocation: endpointSchema.optional() })
    .optional(),
  /** Of a client that was registered by hand. Left out: our metadata document, else dynamic registration. */
  client_id: clientIdSchema.optional(),
  client_authentication: clientAuthenticationSchema.optional(),
  /** Left out: what the server asks for, else all that it supports. */
  scopes: scopesSchema.optional(),
  resource: resourceSchema,
  /** Further parameters of the authorization request, for instance `access_type=offline`. */
  parameters: z.record(z.string().regex(/^[a-z_]{1,64}$/), z.string().max(256)).optional(),
  /** For a client that several servers of one vendor have in common: its answers come to `/connect/shared/callback`, not to the server's own. */
  shared_callback: z.boolean().optional(),
  hint: hintSchema,
});

const clientCredentialsSchema = z.strictObject({
  type: z.literal("client_credentials"),
  /** One of both; or none: the one that the server names (RFC 9728), kept from the first use on. */
  issuer: endpointSchema.optional(),
  token_endpoint: endpointSchema.optional(),
  client_id: clientIdSchema,
  client_authentication: clientAuthenticationSchema.exclude(["none"]).default("client_secret_basic"),
  scopes: scopesSchema.optional(),
  resource: resourceSchema,
  /** A parameter that some vendors want in place of `resource`. */
  audience: z.string().max(limits.upstreamUrl_chars).optional(),
});

export type OAuthAuthentication = z.infer<typeof oauthSchema>;
export type ClientCredentialsAuthentication = z.infer<typeof clientCredentialsSchema>;

export const authenticationSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("none") }),
  /** The caller brings the credential: only with agent authentication `passthrough`. */
  z.strictObject({ type: z.literal("passthrough") }),
  z.strictObject({ type: z.literal("bearer"), holder: holderSchema, hint: hintSchema }),
  z.strictObject({
    type: z.literal("basic"),
    /** Of the organisation; people who have their own give their own. */
    username: z
      .string()
      .min(1)
      .max(256)
      .regex(/^[^:\p{Cc}]+$/u, "no colon, no control characters")
      .optional(),
    holder: holderSchema,
    hint: hintSchema,
  }),
  z.strictObject({
    type: z.literal("api_key_header"),
    header: headerNameSchema,
    holder: holderSchema,
    hint: hintSchema,
  }),
  z.strictObject({
    type: z.literal("api_key_query"),
    parameter: parameterNameSchema,
    holder: holderSchema,
    hint: hintSchema,
  }),
  z.strictObject({ type: z.literal("headers"), headers: z.array(headerNameSchema).min(1).max(10) }),
  oauthSchema,
  clientCredentialsSchema,
]);

export type Authentication = z.infer<typeof authenticationSchema>;

/** Whether each person needs a connection of their own before the server can be called for them. */
export function isPersonal(authentication: Authentication): boolean {
  return authentication.type === "oauth" || ("holder" in authentication && authentication.holder === "user");
}

/** Header values and query keys: visible ASCII, so that nothing needs an encoding and no line can be broken. */
export const secretValueSchema = z
  .string()
  .min(1)
  .max(8192)
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, "visible ASCII only");

const passwordSchema = z
  .string()
  .min(1)
  .max(1024)
  .regex(/^\P{Cc}+$/u, "no control characters");

/** What authenticates us at a token endpoint: a secret, or a private key (PKCS #8 in PEM) with its algorithm and key id. */
export const clientSecretSchema = z.strictObject({
  client_secret: secretValueSchema.optional(),
  private_key: z.string().max(16_384).optional(),
  algorithm: z.enum(["ES256", "ES384", "RS256", "PS256", "EdDSA"]).optional(),
  key_id: z.string().max(256).optional(),
});
export type ClientSecret = z.infer<typeof clientSecretSchema>;

/**
 * The secrets of each kind, as sealed: bearer `{token}`, basic `{password}`, api_key_* `{key}`, headers `{values}` in the
 * order of `authentication.headers`, oauth and client_credentials `{client_secret}` or `{private_key}`.
 */
export const credentialSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("bearer"), token: secretValueSchema }),
  z.strictObject({ type: z.literal("basic"), password: passwordSchema }),
  z.strictObject({ type: z.literal("api_key_header"), key: secretValueSchema }),
  z.strictObject({ type: z.literal("api_key_query"), key: secretValueSchema }),
  z.strictObject({ type: z.literal("headers"), values: z.array(secretValueSchema).min(1).max(10) }),
  clientSecretSchema.extend({ type: z.literal("oauth") }),
  clientSecretSchema.extend({ type: z.literal("client_credentials") }),
]);

export type Credential = z.infer<typeof credentialSchema>;
