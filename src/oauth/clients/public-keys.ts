/** Key sets that clients register: public keys and nothing else. */
import type { JsonWebKeySet } from "../types.ts";

/** Private and symmetric members. @see RFC 7518 sections 6.2.2, 6.3.2 and 6.4; RFC 8037 section 2 */
const secretMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const asymmetricTypes: ReadonlySet<unknown> = new Set(["EC", "RSA", "OKP"]);

/** False for a set with a key that is secret, or of a type that is shared by nature: it would be everybody's by now. */
export function holdsPublicKeysOnly({ keys }: JsonWebKeySet): boolean {
  return keys.every(
    (key) => asymmetricTypes.has(key["kty"]) && !secretMembers.some((member) => Object.hasOwn(key, member)),
  );
}
