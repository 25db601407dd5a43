/** Whether a presented set-up secret is the configured one, and whether the configured one is a secret at all. */

/** Words of documentation and templates: a deployment that kept such a value can be taken over by whoever read it too. */
const exampleWords = /example|change[-_ ]?me|replace[-_ ]?me|your[-_ ]|placeholder|insert[-_ ]|password|dummy|default/i;

/** Random text of 32 characters has about 20 different ones (base64) or 14 (hex). */
const distinct_count_min = 9;

/** @see CVE-2026-53709 for what shipped example secrets lead to */
export function isExampleSecret(secret: string): boolean {
  return exampleWords.test(secret) || new Set(secret).size < distinct_count_min;
}

/** Compares digests, so neither length nor content shows in the time it takes. */
export async function isSameSecret(presented: string, configured: string): Promise<boolean> {
  const [left, right] = await Promise.all([digest(presented), digest(configured)]);
  let difference = 0;
  for (const [index, byte] of left.entries()) difference |= byte ^ (right[index] ?? 0);
  return difference === 0;
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}
