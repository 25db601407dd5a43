/** What a request may say about a server, and what an answer says. Credentials only go in. */
import * as z from "zod";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { accessSchema, nobody } from "../policy/index.ts";
import { err, ok, type Result } from "../ports.ts";
import {
  authenticationSchema,
  credentialSchema,
  serverStatusSchema,
  slugSchema,
  timeoutSchema,
  type Authentication,
  type Credential,
  type StoredServer,
} from "../registry/index.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { idSchema, nameSchema, timeSchema } from "./fields.ts";
import { invalidField } from "./validation.ts";

const urlSchema = z.string().min(1).max(limits.upstreamUrl_chars);

const accessField = accessSchema
  .meta({ id: "Access" })
  .describe("Which people may reach it; machine clients have their allow-list");

const authenticationField = authenticationSchema.meta({ id: "Authentication" });
const credentialField = credentialSchema.meta({ id: "Credential" });

export const createServerBody = z.strictObject({
  slug: slugSchema,
  name: nameSchema.optional(),
  url: urlSchema,
  authentication: authenticationField.default({ type: "none" }),
  credential: credentialField.optional(),
  timeout_ms: timeoutSchema.default(limits.upstreamIdle_ms),
  enabled: z.boolean().default(true),
  access: accessField.default(nobody),
});

export const updateServerBody = z.strictObject({
  slug: z.never({ error: "cannot be changed: clients and policies know the server by it" }).optional(),
  name: nameSchema.optional(),
  url: urlSchema.optional(),
  authentication: authenticationField.optional(),
  credential: credentialField.nullable().optional().describe("null removes the stored one"),
  timeout_ms: timeoutSchema.optional(),
  enabled: z.boolean().optional(),
  access: accessField.optional(),
});

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
    credential: z.object({ set: z.boolean() }).describe("Whether a credential is stored. It is never shown."),
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

/** @returns what a call would lack, or undefined when it can be authenticated */
function missingCredential({ authentication, credential }: StoredServer): string | undefined {
  if (authentication.type === "none" || credential !== null) return undefined;
  return `Authentication ${authentication.type} needs a credential and none is stored: send it as "credential".`;
}

export function serverView(
  admin: AdminDependencies,
  server: StoredServer,
  warnings?: readonly string[],
): Readonly<Record<string, unknown>> {
  const missing = missingCredential(server);
  return {
    id: server.id,
    slug: server.slug,
    name: server.name,
    url: server.url,
    endpoint: `${admin.origin}/mcp/${server.slug}`,
    enabled: server.enabled,
    timeout_ms: server.timeout_ms,
    access: server.access,
    authentication: server.authentication,
    credential: { set: server.credential !== null },
    ready: missing === undefined,
    ready_detail: missing,
    created_at: server.created_at,
    updated_at: server.updated_at,
    warnings: warnings?.length === 0 ? undefined : warnings,
  };
}

/** URLs are shown and logged, so a secret in one would be. */
const secretParameter =
  /^(?:api[-_]?key|key|(?:access|auth|id|refresh)?[-_]?token|secret|client[-_]?secret|pass(?:word|wd)?|auth(?:orization)?|sig(?:nature)?|credentials?)$/i;

/** @returns the canonical URL, or `invalid_field` with the reason of the egress guard */
export function checkServerUrl(
  admin: AdminDependencies,
  text: string,
  authentication: Authentication,
): Result<string, Failure> {
  const checked = admin.checkUrl(text);
  if (!checked.ok) {
    const { detail, reason } = checked.error;
    const refused = invalidField("url", detail ?? "this address is not allowed");
    return err(failure(refused.code, refused.detail, { ...refused, reason: reason ?? checked.error.code }));
  }
  const names = [...checked.value.searchParams.keys()];
  if (authentication.type === "api_key_query" && names.includes(authentication.parameter)) {
    return err(invalidField("url", "already has the query parameter that authentication sets"));
  }
  if (names.some((name) => secretParameter.test(name))) {
    return err(
      invalidField("url", "must not carry a credential: use authentication api_key_query, whose key is stored sealed"),
    );
  }
  return ok(checked.value.href);
}

/** What no schema of one member can see. @returns undefined when they fit */
export function checkCredential(
  authentication: Authentication,
  credential: Credential | undefined,
): Failure | undefined {
  if (authentication.type === "headers") {
    const names = authentication.headers.map((name) => name.toLowerCase());
    if (new Set(names).size !== names.length) return invalidField("authentication.headers", "names a header twice");
  }
  if (credential === undefined) return undefined;
  if (authentication.type === "none") return invalidField("credential", "authentication none takes no credential");
  if (credential.type !== authentication.type) {
    return invalidField("credential.type", `must be ${authentication.type}, as in authentication`);
  }
  if (
    authentication.type === "headers" &&
    credential.type === "headers" &&
    credential.values.length !== authentication.headers.length
  ) {
    return invalidField("credential.values", "must have one value for each of authentication.headers");
  }
  return undefined;
}
