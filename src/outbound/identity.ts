/** What is known of a caller as the value of a header: whatever an identity provider put into a claim. */

/** RFC 8187 section 3.2.1: everything else is percent-encoded. */
const attributeCharacters = /^[A-Za-z0-9!#$&+\-.^_`|~]$/;

const visible = /^[\x21-\x7e]+$/;

/** A value that a reader of RFC 8187 would decode must not come from the caller. */
const looksEncoded = /^[A-Za-z0-9!#$%&+\-^_`{}~]+'[^']*'/;

/**
 * A value that is a header of its own: visible ASCII as it is, anything else as `UTF-8''…`.
 * @returns undefined for what no name or address holds: control characters, broken Unicode, nothing at all
 * @see RFC 8187 section 3.2
 */
export function identityValue(text: string): string | undefined {
  if (text === "" || /\p{Cc}/u.test(text) || !text.isWellFormed()) return undefined;
  return visible.test(text) && !looksEncoded.test(text) ? text : extendedValue(text);
}

/**
 * A value amid text of the administrator's, which may be a list or a set of parameters: plain only where it holds nothing that could
 * separate or end one.
 */
export function embeddedValue(text: string): string | undefined {
  const value = identityValue(text);
  if (value === undefined || /^[A-Za-z0-9@._+:/-]+$/.test(text)) return value;
  return extendedValue(text);
}

function extendedValue(text: string): string {
  const encoded = Array.from(new TextEncoder().encode(text), (byte) => {
    const character = String.fromCharCode(byte);
    return attributeCharacters.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  });
  return `UTF-8''${encoded.join("")}`;
}
