/** Opened secrets, in memory only and for at most `limits.credentialCache_ms` (U12). */
import { limits } from "../limits.ts";

interface Entry<V> {
  readonly value: V;
  readonly until: number;
}

/**
 * Keys lead with the tenant and hold the version of what the value was made from, so a change misses it. What nobody asks for any more
 * goes as well: entries stand in the order of their ends.
 */
export class Memory<V> {
  readonly #entries = new Map<string, Entry<V>>();

  /** @param now milliseconds since the Unix epoch */
  get(key: string, now: number): V | undefined {
    this.#forgetExpired(now);
    return this.#entries.get(key)?.value;
  }

  set(key: string, value: V, now: number): void {
    this.#entries.delete(key);
    if (this.#entries.size >= limits.credentialCache_count) {
      const oldest = this.#entries.keys().next();
      if (!oldest.done) this.#entries.delete(oldest.value);
    }
    this.#entries.set(key, { value, until: now + limits.credentialCache_ms });
  }

  #forgetExpired(now: number): void {
    for (const [key, { until }] of this.#entries) {
      // A clock that was set back must not make an entry live longer.
      if (until > now && until - now <= limits.credentialCache_ms) return;
      this.#entries.delete(key);
    }
  }
}
