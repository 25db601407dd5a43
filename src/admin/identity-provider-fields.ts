/** What a request may say about an identity provider, and what an answer says. The client secret only goes in. */
import * as z from "zod";
import type { Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import {
  callbackPath,
  checkProvider,
  providerKinds,
  providerOptionsSchema,
  type StoredProvider,
} from "../login/index.ts";
import { err, ok, type Result } from "../ports.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { idSchema, nameSchema, timeSchema } from "./fields.ts";
import { invalidField } from "./validation.ts";

const parameter = z
  .string()
  .min(1)
  .max(limits.authorizationParameter_chars)
  .regex(/^[\x20-\x7e]+$/, "must be printable ASCII (RFC 6749 appendix A)");

const kindField = z.enum(providerKinds);
const issuerField = z
  .string()
  .min(1)
  .max(limits.upstreamUrl_chars)
  .describe("Exactly as in the provider's discovery document");
const secretField = parameter.describe("Never shown again; absent for a public client");
const optionsField = providerOptionsSchema.meta({ id: "IdentityProviderOptions" });

export const createProviderBody = z.strictObject({
  kind: kindField.default("generic"),
  name: nameSchema,
  issuer: issuerField,
  client_id: parameter,
  client_secret: secretField.optional(),
  options: optionsField.default(providerOptionsSchema.parse({})),
  enabled: z.boolean().default(true),
});

export const updateProviderBody = z.strictObject({
  kind: z.never({ error: "cannot be changed: register another provider" }).optional(),
  name: nameSchema.optional(),
  issuer: z.never({ error: "cannot be changed: people are known by it. Register another provider" }).optional(),
  client_id: parameter.optional(),
  client_secret: secretField.nullable().optional().describe("null removes the stored one"),
  options: optionsField.optional().describe("Replaces all options"),
  enabled: z.boolean().optional().describe("false ends the sessions and grants of its people"),
});

export const providerAnswer = z
  .object({
    id: idSchema,
    kind: kindField,
    name: z.string(),
    issuer: z.string(),
    client_id: z.string(),
    client_secret: z.object({ set: z.boolean() }).describe("Whether a secret is stored. It is never shown."),
    options: optionsField,
    enabled: z.boolean(),
    redirect_uri: z.string().describe("To register at the provider"),
    backchannel_logout_uri: z
      .string()
      .describe(
        "To register at the provider, so that a sign-out there is one here (OpenID Connect Back-Channel Logout)",
      ),
    token_endpoint_origin: z
      .string()
      .nullable()
      .describe("Where the client secret goes, as the first discovery said; null before it"),
    created_at: timeSchema,
    updated_at: timeSchema,
    warnings: z.array(z.string()).optional().describe("What this change did besides what was asked for"),
  })
  .meta({ id: "IdentityProvider" });

export function providerView(
  { origin }: AdminDependencies,
  provider: StoredProvider,
  warnings: readonly string[] = [],
): Readonly<Record<string, unknown>> {
  return {
    id: provider.id,
    kind: provider.kind,
    name: provider.name,
    issuer: provider.issuer,
    client_id: provider.client_id,
    client_secret: { set: provider.credential !== null },
    options: provider.options,
    enabled: provider.enabled,
    redirect_uri: `${origin}${callbackPath(provider)}`,
    backchannel_logout_uri: `${origin}/login/backchannel-logout`,
    token_endpoint_origin: provider.token_endpoint_origin,
    created_at: provider.created_at,
    updated_at: provider.updated_at,
    warnings: warnings.length === 0 ? undefined : warnings,
  };
}

/** The guard of egress, and what is known of each kind of provider. */
export function checkIssuer(
  admin: AdminDependencies,
  { kind, issuer, options }: Pick<StoredProvider, "kind" | "issuer" | "options">,
): Result<void, Failure> {
  const checked = admin.checkUrl(issuer);
  if (!checked.ok) return err(invalidField("issuer", checked.error.detail ?? "this address is not allowed"));
  const fitting = checkProvider(kind, issuer, options);
  return fitting.ok ? ok(undefined) : err(invalidField("issuer", fitting.error));
}
