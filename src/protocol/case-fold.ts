/** Keys as readers see them that do not tell upper from lower case (CVE-2026-27896). */

/** Names of the protocol by their folded form. */
export function foldedNames(...names: string[]): ReadonlyMap<string, string> {
  return new Map(names.map((name) => [fold(name), name]));
}

/**
 * By way of upper case, since U+017F (long s) meets `s` only there, as U+212A (Kelvin sign) meets `k` only in lower case.
 * Equates somewhat more than simple case folding does, for instance ß and ss.
 * @see Unicode Standard section 5.18, "Caseless Matching"
 */
export function fold(key: string): string {
  return key.toUpperCase().toLowerCase();
}
