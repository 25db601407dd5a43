/** Headers that Gatehouse adds besides app authentication. Where each value comes from; the secrets are kept apart, sealed. */
import * as z from "zod";
import { limits } from "../limits.ts";
import {
  clientAuthenticationSchema,
  clientSecretSchema,
  scopesSchema,
  secretValueSchema,
  type Authentication,
} from "./authentication.ts";
import { canonicalHeader, headerNameSchema } from "./header-name.ts";

const endpointSchema = z.string().min(1).max(limits.upstreamUrl_chars);

/** Stands before the value with one space between, for instance `Bearer`. */
const prefixSchema = z
  .string()
  .regex(/^[\x21-\x7e]{1,64}$/, "visible ASCII without spaces")
  .optional();

/** The tokens of the person's sign-in. */
const signInTokenSchema = z.enum(["access_token", "id_token"]).default("access_token");

const named = { name: headerNameSchema };
const prefixed = { ...named, prefix: prefixSchema };
const tokenClient = {
  token_endpoint: endpointSchema,
  client_id: z.string().regex(/^[\x20-\x7e]{1,512}$/, "visible ASCII only"),
  client_authentication: clientAuthenticationSchema.exclude(["none"]).default("client_secret_basic"),
  scopes: scopesSchema.optional(),
  resource: endpointSchema.optional(),
  audience: endpointSchema.optional(),
};

export const outboundHeaderSchema = z.discriminatedUnion("source", [
  /** A token of the service itself, by client credentials (RFC 6749 section 4.4). */
  z.strictObject({ source: z.literal("service_token"), ...prefixed, ...tokenClient }),
  /** The token that the person's identity provider issued at sign-in. */
  z.strictObject({ source: z.literal("caller_token"), ...prefixed, token: signInTokenSchema }),
  /** That token exchanged for one of another provider (RFC 8693). */
  z.strictObject({ source: z.literal("on_behalf_of"), ...prefixed, ...tokenClient, subject_token: signInTokenSchema }),
  /** A credential that the organisation keeps by name, or each person's own of it. */
  z.strictObject({ source: z.literal("stored_credential"), ...prefixed, credential_id: z.uuid() }),
  z.strictObject({ source: z.literal("caller_identity"), ...named, value: z.enum(["id", "email"]) }),
  /** Who calls, signed by Gatehouse: verifiable with `/oauth/jwks.json`. */
  z.strictObject({ source: z.literal("caller_assertion"), ...prefixed, audience: endpointSchema.optional() }),
  /** A value of the administrator's, kept sealed. It may hold `{{user.id}}`, `{{user.email}}`, `{{client.id}}` and `{{server.slug}}`. */
  z.strictObject({ source: z.literal("custom"), ...prefixed }),
]);

export type OutboundHeader = z.infer<typeof outboundHeaderSchema>;

export const outboundHeadersSchema = z.array(outboundHeaderSchema).max(limits.outboundHeaders_count);

/** Of one header: of `service_token` and `on_behalf_of` what authenticates Gatehouse at the token endpoint, of `custom` the `value`. */
export const headerSecretSchema = clientSecretSchema.extend({ value: secretValueSchema.optional() });

export type HeaderSecret = z.infer<typeof headerSecretSchema>;

/** By the name of the header, as `canonicalHeader` writes it. */
export const headerSecretsSchema = z.record(headerNameSchema, headerSecretSchema);

export type HeaderSecrets = z.infer<typeof headerSecretsSchema>;

/** Those whose values or clients are kept sealed with the server. */
export const takesSecret = ({ source }: Pick<OutboundHeader, "source">): boolean =>
  source === "custom" || source === "service_token" || source === "on_behalf_of";

/**
 * The canonical names of the headers that Gatehouse sets by itself on the way to a server, app authentication first. One that is there
 * twice is an error of configuration.
 */
export function headersSet({
  authentication,
  outbound_headers,
}: {
  readonly authentication: Authentication;
  readonly outbound_headers: readonly OutboundHeader[];
}): string[] {
  return [...authenticationHeaders(authentication), ...outbound_headers.map(({ name }) => name)].map(canonicalHeader);
}

function authenticationHeaders(authentication: Authentication): readonly string[] {
  switch (authentication.type) {
    case "none":
    case "passthrough":
    case "api_key_query":
      return [];
    case "bearer":
    case "basic":
    case "oauth":
    case "client_credentials":
      return ["authorization"];
    case "api_key_header":
      return [authentication.header];
    case "headers":
      return authentication.headers;
  }
}
