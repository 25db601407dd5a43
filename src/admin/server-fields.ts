/** What a request may say about a server, and what an answer says. Secrets only go in. */
import * as z from "zod";
import { limits } from "../limits.ts";
import { accessSchema, nobody } from "../policy/index.ts";
import {
  agentAuthenticationSchema,
  authenticationSchema,
  credentialSchema,
  headerNameSchema,
  headerSecretSchema,
  inboundHeadersSchema,
  outboundHeadersSchema,
  serverStatusSchema,
  slugSchema,
  timeoutSchema,
} from "../registry/index.ts";
import { memberOf, oneOf } from "./field-messages.ts";
import { idSchema, nameSchema, timeSchema } from "./fields.ts";

const urlSchema = z.string().min(1).max(limits.upstreamUrl_chars);

const accessField = accessSchema
  .meta({ id: "Access" })
  .describe("Which people may reach it; machine clients have their allow-list");

interface Kind {
  readonly shape: { readonly type: z.ZodLiteral<string> };
}

/** Whoever sends a part, to change that alone, is told that there is no such thing. */
const asWhole = (name: string, kinds: readonly Kind[]): { readonly error: z.core.$ZodErrorMap } => ({
  error: ({ code, input }) => {
    if (code !== "invalid_union") return undefined;
    const types = kinds.map(({ shape }) => shape.type.value);
    return `${oneOf(memberOf(input, "type"), types)}: ${name} is replaced as a whole, so send all of its members`;
  },
});

const authenticationField = z
  .discriminatedUnion("type", authenticationSchema.options, asWhole("authentication", authenticationSchema.options))
  .meta({ id: "Authentication" });
const credentialField = z
  .discriminatedUnion("type", credentialSchema.options, asWhole("credential", credentialSchema.options))
  .meta({ id: "Credential" });
const outboundHeadersField = outboundHeadersSchema
  .meta({ id: "OutboundHeaders" })
  .describe("Headers that Gatehouse adds to each request besides app authentication");
const headerSecretField = headerSecretSchema.meta({ id: "HeaderSecret" });
const agentAuthenticationField = z
  .discriminatedUnion(
    "type",
    agentAuthenticationSchema.options,
    asWhole("agent_authentication", agentAuthenticationSchema.options),
  )
  .meta({ id: "AgentAuthentication" });
const inboundHeadersField = inboundHeadersSchema.meta({ id: "InboundHeaders" });

const secretsText =
  "By header name: `value` of `custom`, and of `service_token` and `on_behalf_of` what authenticates Gatehouse at the token endpoint. Never shown.";
const confirmationField = z
  .string()
  .max(limits.requestState_chars)
  .optional()
  .describe("Of the answer 409 `confirmation_needed` to this very request");

/** Below `/connect/`, where the page of each server is. */
const pages: ReadonlySet<string> = new Set(["callback", "credentials", "shared"]);

export const createServerBody = z.strictObject({
  slug: slugSchema.refine((slug) => !pages.has(slug), "is the name of a page of Gatehouse: take another"),
  name: nameSchema.optional(),
  url: urlSchema,
  authentication: authenticationField.default({ type: "none" }),
  credential: credentialField.optional(),
  outbound_headers: outboundHeadersField.default([]),
  header_secrets: z.record(headerNameSchema, headerSecretField).optional().describe(secretsText),
  agent_authentication: agentAuthenticationField.default({ type: "any" }),
  inbound_headers: inboundHeadersField.default({ forward: null, restrict: [] }),
  timeout_ms: timeoutSchema.default(limits.upstreamIdle_ms),
  enabled: z.boolean().default(true),
  access: accessField.default(nobody),
  confirmation: confirmationField,
});

export const updateServerBody = z.strictObject({
  slug: z.never({ error: "cannot be changed: clients and policies know the server by it" }).optional(),
  name: nameSchema.optional(),
  url: urlSchema.optional(),
  authentication: authenticationField.optional(),
  credential: credentialField.nullable().optional().describe("null removes the stored one"),
  outbound_headers: outboundHeadersField.optional(),
  header_secrets: z
    .record(headerNameSchema, headerSecretField.nullable())
    .optional()
    .describe(`${secretsText} Those of headers that are not named stay; null removes one.`),
  agent_authentication: agentAuthenticationField.optional(),
  inbound_headers: inboundHeadersField.optional(),
  timeout_ms: timeoutSchema.optional(),
  enabled: z.boolean().optional(),
  access: accessField.optional(),
  confirmation: confirmationField,
});

export type CreateServer = z.output<typeof createServerBody>;
export type UpdateServer = z.output<typeof updateServerBody>;

const isSet = z.object({ set: z.boolean() });

export const serverAnswer = z
  .object({
    id: idSchema,
    slug: slugSchema,
    name: z.string(),
    url: z.string(),
    endpoint: z.string().describe("The URL at which clients reach this server through Gatehouse"),
    enabled: z.boolean(),
    timeout_ms: timeoutSchema,
    access: accessField,
    authentication: authenticationField,
    redirect_uri: z
      .string()
      .optional()
      .describe("Of authentication `oauth`: what a client of your own is registered with at the authorization server"),
    credential: isSet.describe("Whether a credential is stored. It is never shown."),
    outbound_headers: outboundHeadersField,
    header_secrets: z
      .record(z.string(), isSet)
      .describe("Of each header that needs a secret, whether one is stored. They are never shown."),
    agent_authentication: agentAuthenticationField,
    inbound_headers: inboundHeadersField,
    ready: z.boolean().describe("False while a call could not be authenticated"),
    ready_detail: z.string().optional().describe("What is missing"),
    created_at: timeSchema,
    updated_at: timeSchema,
    warnings: z.array(z.string()).optional().describe("What this change did besides what was asked for"),
  })
  .meta({ id: "Server" });

const countsAnswer = serverStatusSchema.shape.counts;

export const serverStatusAnswer = z
  .object({
    outcome: z.string().describe("`ok`, `truncated`, `not_offered`, the reason of the failure, or `unknown`"),
    at: timeSchema.optional().describe("When it was asked"),
    ok_at: timeSchema.optional().describe("When it last answered"),
    counts: countsAnswer.optional().describe("Items of each of its lists that clients see"),
    dropped: countsAnswer.optional().describe("Items that are left out, because clients could not take them"),
  })
  .meta({ id: "ServerStatus" });
