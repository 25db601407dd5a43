/** An upstream MCP server as the rest of the program sees it. */
import * as z from "zod";
import type { servers } from "../db/index.ts";
import { limits } from "../limits.ts";
import { accessSchema, type Access } from "../policy/index.ts";

/**
 * The slug is the path segment of `/mcp/{slug}` and the prefix of `{slug}__{tool}`. It has no underscore, so the first
 * `__` of a prefixed name always ends the slug.
 */
export const slugSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, "1 to 32 of a-z, 0-9 and -, not at the ends");

/** Header names that authentication may set: a token (RFC 9110 section 5.6.2) that is neither hop-by-hop nor the protocol's own. */
const forbiddenHeader =
  /^(?:host|content-length|content-type|content-encoding|connection|keep-alive|transfer-encoding|te|trailer|upgrade|accept|accept-encoding|cookie|set-cookie|origin|referer|forwarded|via|expect|date|proxy-.*|sec-.*|cf-.*|x-forwarded-.*|x-real-ip|mcp-.*|last-event-id)$/;

export const headerNameSchema = z
  .string()
  .max(64)
  .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, "must be an HTTP header name")
  .refine((name) => !forbiddenHeader.test(name.toLowerCase().replaceAll("_", "-")), "this header cannot be set");

const parameterNameSchema = z.string().regex(/^[A-Za-z0-9_.~-]{1,64}$/, "must be a query parameter name");

/** How Gatehouse authenticates to the server: the kind and its public part. The secrets are kept apart, sealed. */
export const authenticationSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("none") }),
  z.strictObject({ type: z.literal("bearer") }),
  z.strictObject({
    type: z.literal("basic"),
    username: z
      .string()
      .min(1)
      .max(256)
      .regex(/^[^:\p{Cc}]+$/u, "no colon, no control characters"),
  }),
  z.strictObject({ type: z.literal("api_key_header"), header: headerNameSchema }),
  z.strictObject({ type: z.literal("api_key_query"), parameter: parameterNameSchema }),
  z.strictObject({ type: z.literal("headers"), headers: z.array(headerNameSchema).min(1).max(10) }),
]);

export type Authentication = z.infer<typeof authenticationSchema>;

/** Header values and query keys: visible ASCII, so that nothing needs an encoding and no line can be broken. */
const secretValueSchema = z
  .string()
  .min(1)
  .max(8192)
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, "visible ASCII only");

/**
 * The secrets of each kind, as sealed: bearer `{token}`, basic `{password}`, api_key_* `{key}`, headers `{values}` in the
 * order of `authentication.headers`.
 */
export const credentialSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("bearer"), token: secretValueSchema }),
  z.strictObject({
    type: z.literal("basic"),
    password: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^\P{Cc}+$/u, "no control characters"),
  }),
  z.strictObject({ type: z.literal("api_key_header"), key: secretValueSchema }),
  z.strictObject({ type: z.literal("api_key_query"), key: secretValueSchema }),
  z.strictObject({ type: z.literal("headers"), values: z.array(secretValueSchema).min(1).max(10) }),
]);

export type Credential = z.infer<typeof credentialSchema>;

export const timeoutSchema = z.int().min(1_000).max(limits.upstreamIdle_ms_max);

export interface Server {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly url: string;
  readonly enabled: boolean;
  readonly timeout_ms: number;
  readonly authentication: Authentication;
  /** One JWE, opened by `vault/` only; null while none is stored. */
  readonly credential: string | null;
  readonly revision: number;
  /** Which people may reach it. */
  readonly access: Access;
}

/** A stored row, parsed. @throws when its `authentication` is not readable */
export function serverFromRow(row: typeof servers.$inferSelect): Server {
  return {
    id: row.id,
    slug: row.slug,
    name: row.name,
    url: row.url,
    enabled: row.enabled,
    timeout_ms: row.timeout_ms,
    authentication: authenticationSchema.parse(JSON.parse(row.authentication)),
    credential: row.credential,
    revision: row.revision,
    access: accessSchema.parse(JSON.parse(row.access)),
  };
}
