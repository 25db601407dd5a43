import { limits } from "../limits.ts";
import type { Random } from "../ports.ts";

/** 256 random bits as 43 characters: state, nonce, PKCE verifier and cookies, each drawn on its own. */
export function randomSecret(random: Random): string {
  return random.bytes(limits.token_bytes).toBase64({ alphabet: "base64url", omitPadding: true });
}
