/** Bytes for keys and bindings that no two different inputs share. */

const encoder = new TextEncoder();

/**
 * Each part after its length, so that ("ab", "c") and ("a", "bc") differ.
 * @throws when a part is not well-formed: UTF-8 would map several such strings to one
 */
export function lengthPrefixed(parts: readonly string[]): Uint8Array<ArrayBuffer> {
  const chunks = parts.map((part) => {
    if (!part.isWellFormed()) throw new TypeError("A part of a binding is not well-formed text.");
    return encoder.encode(part);
  });
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + 4 + chunk.length, 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const chunk of chunks) {
    view.setUint32(offset, chunk.length);
    bytes.set(chunk, offset + 4);
    offset += 4 + chunk.length;
  }
  return bytes;
}

/** Text of bytes, or undefined when they are not UTF-8. */
export function textOf(bytes: BufferSource): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** JSON of text, or undefined when it is none. */
export function jsonOf(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
