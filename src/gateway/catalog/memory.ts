/** The lists that this isolate knows, bounded by their number and by their characters: the oldest go first. */
import { limits } from "../../limits.ts";
import type { Catalog } from "./build.ts";

export class CatalogMemory {
  readonly #catalogs = new Map<string, Catalog>();
  #size_chars = 0;

  get(key: string): Catalog | undefined {
    return this.#catalogs.get(key);
  }

  set(key: string, catalog: Catalog): void {
    this.#delete(key);
    this.#catalogs.set(key, catalog);
    this.#size_chars += catalog.size_chars;
    for (const oldest of this.#catalogs.keys()) {
      const fits = this.#catalogs.size <= limits.catalogs_count && this.#size_chars <= limits.catalogs_chars;
      if (fits) return;
      this.#delete(oldest);
    }
  }

  #delete(key: string): void {
    const known = this.#catalogs.get(key);
    if (known === undefined) return;
    this.#catalogs.delete(key);
    this.#size_chars -= known.size_chars;
  }
}
