/**
 * Codes and refresh tokens: sealed handles, so that a forged or foreign one does not open and every genuine one is recognised without
 * being stored. The prefixes let secret scanners find a leaked one.
 */
import * as z from "zod";
import { limits } from "../../limits.ts";
import type { Visit } from "../../login/index.ts";
import { err, type Result } from "../../ports.ts";

const kinds = {
  code: { prefix: "ghx_", purpose: "authorization-code" },
  refresh: { prefix: "ghr_", purpose: "refresh-token" },
} as const;

export type HandleKind = keyof typeof kinds;

const contentSchema = z.strictObject({ grant: z.uuid(), generation: z.int().nonnegative(), nonce: z.string() });

export type HandleContent = z.infer<typeof contentSchema>;

/** 128 random bits. */
export function makeNonce({ platform }: Visit): string {
  return platform.ports.random.bytes(16).toBase64({ alphabet: "base64url", omitPadding: true });
}

/** @param expires_at milliseconds since the Unix epoch; it is not recognised any more after that */
export async function sealGrantHandle(
  { vault, tenant }: Visit,
  kind: HandleKind,
  content: HandleContent,
  expires_at: number,
): Promise<string> {
  const { prefix, purpose } = kinds[kind];
  return prefix + (await vault.sealHandle(purpose, tenant.id, content, expires_at));
}

/** @returns the content, or a stable reason: `code_unknown`, `code_expired`, `refresh_unknown`, `refresh_expired` */
export async function openGrantHandle(
  { vault, tenant }: Visit,
  kind: HandleKind,
  text: string,
): Promise<Result<HandleContent, string>> {
  const { prefix, purpose } = kinds[kind];
  if (!text.startsWith(prefix) || text.length > limits.authorizationParameter_chars) return err(`${kind}_unknown`);
  const opened = await vault.openHandle(purpose, tenant.id, text.slice(prefix.length));
  if (!opened.ok) return err(opened.error.reason === "handle_expired" ? `${kind}_expired` : `${kind}_unknown`);
  const content = contentSchema.safeParse(opened.value);
  return content.success ? { ok: true, value: content.data } : err(`${kind}_unknown`);
}
