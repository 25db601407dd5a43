/**
 * Secrets of ours are looked up by their hash, so a comparison never runs over the secret itself and its time tells nothing.
 * One SHA-256 suffices: they are 256 random bits, not passwords.
 */
const encoder = new TextEncoder();

/** @returns SHA-256 of the text as UTF-8, base64url without padding */
export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(text));
  return new Uint8Array(digest).toBase64({ alphabet: "base64url", omitPadding: true });
}
