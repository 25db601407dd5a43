/** Pages of a list: an opaque cursor that is the last key of the page before, and a clamped size. */
import * as z from "zod";
import type { Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { invalidField } from "./validation.ts";

/** Out of range is clamped, since a page size is a wish; what is no integer is refused, since it is a mistake. */
export const pageSize = (size_count_max: number) =>
  z
    .string()
    .regex(/^-?\d{1,10}$/, "must be an integer")
    .transform((digits) => Math.min(Math.max(Number(digits), 1), size_count_max));

export const cursorSchema = (chars_max: number) =>
  z
    .string()
    .max(chars_max)
    .regex(/^[A-Za-z0-9_-]+$/, "must be a cursor that a list returned");

export const pageQuery = z.strictObject({
  cursor: cursorSchema(128).optional(),
  limit: pageSize(limits.page_count_max).optional(),
});

export type PageQuery = z.output<typeof pageQuery>;

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next: z.string().nullable().describe("Cursor of the next page; null on the last") });

const alphabet = { alphabet: "base64url", omitPadding: true } as const;

/** base64url of the text's UTF-8. */
export function encodeText(text: string): string {
  return new TextEncoder().encode(text).toBase64(alphabet);
}

/** @returns undefined for what `encodeText` never returns */
export function decodeText(encoded: string): string | undefined {
  try {
    const bytes = Uint8Array.fromBase64(encoded, { alphabet: "base64url" });
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return encodeText(text) === encoded ? text : undefined;
  } catch {
    return undefined;
  }
}

/** @param key what a key of this list looks like; a cursor of another list, or a forged one, is refused */
export function decodeCursor(cursor: string | undefined, key: z.ZodType<string>): Result<string | undefined, Failure> {
  if (cursor === undefined) return ok(undefined);
  const refused = err(invalidField("cursor", "must be a cursor that this list returned"));
  const decoded = key.safeParse(decodeText(cursor));
  return decoded.success ? ok(decoded.data) : refused;
}

/**
 * Fetches one row more than the page shows, to know whether there is a next one.
 * @param fetch gets the key to start behind and the number of rows
 */
export async function listPage<Row>(
  query: PageQuery,
  key: z.ZodType<string>,
  fetch: (after: string | undefined, size_count: number) => Promise<readonly Row[]>,
  keyOf: (row: Row) => string,
  view: (row: Row) => Readonly<Record<string, unknown>>,
): Promise<Result<Readonly<Record<string, unknown>>, Failure>> {
  const after = decodeCursor(query.cursor, key);
  if (!after.ok) return after;
  const size_count = query.limit ?? limits.page_count;
  const rows = await fetch(after.value, size_count + 1);
  const shown = rows.slice(0, size_count);
  const last = shown.at(-1);
  const next = rows.length > size_count && last !== undefined ? encodeText(keyOf(last)) : null;
  return ok({ items: shown.map(view), next });
}
