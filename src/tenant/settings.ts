/** What an administrator may switch for the tenant. */
import * as z from "zod";

const originSchema = z
  .url()
  .max(256)
  .refine(
    (value) => URL.canParse(value) && new URL(value).origin === value,
    "must be an origin such as https://app.example.com",
  )
  .refine((value) => /^https?:/.test(value), "must be http or https");

/** A DNS name without wildcard; the domain itself and what is below it. */
const domainSchema = z
  .string()
  .max(253)
  .regex(
    /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$/,
    "must be a domain such as example.com, in lower case",
  );

/** Which clients may ask people for access without an administrator having registered them. */
export const registrationSchema = z.strictObject({
  /** Clients that are known by the URL of their metadata document (Client ID Metadata Documents). */
  documents: z.enum(["any", "domains", "off"]).default("any"),
  /** For `domains`: the documents may be on these domains and below them. */
  document_domains: z.array(domainSchema).max(100).default([]),
  /** Whether such a client may have its answers on the person's own machine, where any program may pose as it. */
  document_loopback: z.boolean().default(true),
  /** Clients that register themselves (RFC 7591). */
  dynamic: z.boolean().default(true),
});

export const settingsSchema = z.strictObject({
  /** Strict: `mcp.request` is durable before the upstream is called, and `mcp.response` before the last byte is released. */
  audit_strict: z.boolean().default(false),
  /** Web origins besides the tenant's own whose pages may call the MCP endpoints. */
  allowed_origins: z.array(originSchema).max(20).default([]),
  /** Whether `/mcp` gives clients the instructions of its servers, under their names. They are text of strangers for a model. */
  instructions: z.enum(["merge", "omit"]).default("merge"),
  /**
   * The seal switch: while it is on, no stored credential is used, from any cache or record, none is renewed, and none of a person is
   * stored. Administrators replace and remove credentials meanwhile; servers that need none are called as ever.
   */
  vault_sealed: z.boolean().default(false),
  registration: registrationSchema.default(registrationSchema.parse({})),
});

export type TenantSettings = z.infer<typeof settingsSchema>;

export const defaultSettings: TenantSettings = settingsSchema.parse({});
