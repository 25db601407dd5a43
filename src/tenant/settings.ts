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

export const settingsSchema = z.strictObject({
  /** Strict: `mcp.request` is durable before the upstream is called, and `mcp.response` before the last byte is released. */
  audit_strict: z.boolean().default(false),
  /** Web origins besides the tenant's own whose pages may call the MCP endpoints. */
  allowed_origins: z.array(originSchema).max(20).default([]),
  /** Whether `/mcp` gives clients the instructions of its servers, under their names. They are text of strangers for a model. */
  instructions: z.enum(["merge", "omit"]).default("merge"),
});

export type TenantSettings = z.infer<typeof settingsSchema>;

export const defaultSettings: TenantSettings = settingsSchema.parse({});
