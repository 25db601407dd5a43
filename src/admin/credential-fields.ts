/** What a request may say about a stored credential, and what an answer says. The value only goes in. */
import * as z from "zod";
import type { StoredCredential } from "../connections/index.ts";
import { limits } from "../limits.ts";
import { secretValueSchema } from "../registry/index.ts";
import { idSchema, nameSchema, timeSchema } from "./fields.ts";

const holderField = z
  .enum(["organisation", "user"])
  .describe("`user`: each person gives their own, and is asked for it when they first call a server that needs it");
const hintField = z
  .string()
  .max(limits.credentialHint_chars)
  .describe("Shown to people who are asked for theirs: where to find it, what it must be allowed");
const valueField = secretValueSchema.describe("Never shown again. For the holder `organisation`, and only for it");

export const createCredentialBody = z.strictObject({
  name: nameSchema,
  holder: holderField.default("organisation"),
  hint: hintField.default(""),
  value: valueField.optional(),
});

export const updateCredentialBody = z.strictObject({
  name: nameSchema.optional(),
  holder: z.never({ error: "cannot be changed: make another credential" }).optional(),
  hint: hintField.optional(),
  value: valueField.optional(),
});

export const credentialAnswer = z
  .object({
    id: idSchema,
    name: z.string(),
    holder: holderField,
    hint: hintField,
    value: z.object({ set: z.boolean() }).describe("Whether a value is stored. It is never shown."),
    created_at: timeSchema,
    updated_at: timeSchema,
  })
  .meta({ id: "StoredCredential" });

export function credentialView(stored: StoredCredential): z.output<typeof credentialAnswer> {
  const { id, name, holder, hint, credential, created_at, updated_at } = stored;
  return { id, name, holder, hint, value: { set: credential !== null }, created_at, updated_at };
}
