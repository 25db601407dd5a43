/**
 * State that a client carries for us: encrypted, authenticated and short, `{kid}.{base64url(iv | ciphertext | tag)}`.
 * The key belongs to one purpose and one tenant, so a handle of another kind or tenant does not open. WebCrypto and not a
 * compact JWE (`dir`), because handles are on the hot path: sealing and opening one took 18 µs against 90 µs, in workerd.
 * @see NIST SP 800-38D section 8.2.2 (random 96-bit IV)
 */
import { base64url } from "jose";
import * as z from "zod";
import { limits } from "../limits.ts";
import type { JsonObject, Random } from "../ports.ts";
import { jsonOf, textOf } from "./encoding.ts";

const iv_bytes = 12;
const tag_bytes = 16;
const form = /^(?<kid>[A-Za-z0-9._-]{1,32})\.(?<body>[A-Za-z0-9_-]+)$/;

/** Authenticated, and out of `JSON.parse`: the payload is JSON. A record schema would drop a member named `__proto__`. */
const payloadSchema = z.custom<JsonObject>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
);
const contentSchema = z.strictObject({ expires_at: z.int(), payload: payloadSchema });
export type HandleContent = { readonly expires_at: number; readonly payload: JsonObject };

export async function sealContent(
  key: CryptoKey,
  kid: string,
  content: HandleContent,
  random: Random,
): Promise<string> {
  const iv = random.bytes(iv_bytes);
  const plaintext = new TextEncoder().encode(JSON.stringify(content));
  const ciphertext = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, plaintext));
  const body = new Uint8Array(iv.length + ciphertext.length);
  body.set(iv);
  body.set(ciphertext, iv.length);
  return `${kid}.${base64url.encode(body)}`;
}

/** @returns the parts, or undefined when the text cannot be a handle; nothing is decrypted yet */
export function parseHandle(
  handle: string,
): { readonly kid: string; readonly body: Uint8Array<ArrayBuffer> } | undefined {
  if (handle.length > limits.requestState_chars) return undefined;
  // The key id may hold dots, so the last one separates; the expression is greedy.
  const { kid, body: encoded } = form.exec(handle)?.groups ?? {};
  if (kid === undefined || encoded === undefined || encoded.length % 4 === 1) return undefined;
  const body = new Uint8Array(base64url.decode(encoded));
  if (body.length <= iv_bytes + tag_bytes || base64url.encode(body) !== encoded) return undefined;
  return { kid, body };
}

/** @returns the content, expired or not, or undefined for every defect alike */
export async function openContent(key: CryptoKey, body: Uint8Array<ArrayBuffer>): Promise<HandleContent | undefined> {
  let plaintext: ArrayBuffer;
  try {
    const parameters = { name: "AES-GCM", iv: body.subarray(0, iv_bytes) };
    plaintext = await crypto.subtle.decrypt(parameters, key, body.subarray(iv_bytes));
  } catch {
    return undefined;
  }
  const content = contentSchema.safeParse(jsonOf(textOf(plaintext)));
  return content.success ? content.data : undefined;
}
