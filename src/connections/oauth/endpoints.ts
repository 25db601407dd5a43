/** URLs that others name: which of them may be called, and which may be handed to a browser. */
import { checkUrl } from "../../egress/index.ts";
import type { Base } from "../types.ts";

/** @returns the canonical URL, if the rules of egress allow it */
export function endpoint({ platform: { configuration } }: Pick<Base, "platform">, text: string): string | undefined {
  const checked = checkUrl(text, { mode: configuration.mode, origins: configuration.egressOrigins });
  return checked.ok ? checked.value.href : undefined;
}

/** No quotes, brackets, `$` or `;`: what opens links on somebody's machine may hand them to a shell (UP-11, CVE-2025-6514). */
const plain = /^[A-Za-z0-9\-._~:/?@&+,=%[\]]+$/;

/** @returns the canonical URL of an authorization endpoint, if it is allowed and plain */
export function browserEndpoint(base: Pick<Base, "platform">, text: string): string | undefined {
  return plain.test(text) ? endpoint(base, text) : undefined;
}
