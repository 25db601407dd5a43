/** A map that forgets its oldest entry at its bound: the only kind of state that module scope may hold. */
export class BoundedMap<V> {
  readonly #entries = new Map<string, V>();
  readonly #count_max: number;

  constructor(count_max: number) {
    this.#count_max = count_max;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    if (this.#entries.size >= this.#count_max) {
      const oldest = this.#entries.keys().next();
      if (!oldest.done) this.#entries.delete(oldest.value);
    }
    this.#entries.set(key, value);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
