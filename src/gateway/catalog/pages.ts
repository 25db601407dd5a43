/** Cutting the lists of all servers into pages. Pure, so that any bound can be tried. */
import { limits } from "../../limits.ts";
import type { Entry } from "./build.ts";

/** The last item that a client has seen. */
export interface Position {
  readonly slug: string;
  /** Its own name or URI, cut to `limits.cursorKey_chars`. */
  readonly key: string;
  /** Where it stood in the list of its server: if it is gone, what stands there now comes next. */
  readonly index: number;
}

/** The items of one server; parts are in the order of slugs. */
export interface Part {
  readonly slug: string;
  readonly entries: readonly Entry[];
}

export interface Bounds {
  readonly items_count: number;
  readonly chars: number;
}

export interface Page {
  readonly entries: readonly Entry[];
  /** Undefined on the last page. */
  readonly next: Position | undefined;
}

/**
 * The items after a position. A page has at least one, whatever its bounds.
 * @param size_chars what an item adds to the page
 */
export function cutPage(
  parts: readonly Part[],
  after: Position | undefined,
  bounds: Bounds,
  size_chars: (entry: Entry) => number,
): Page {
  const entries: Entry[] = [];
  let sum_chars = 0;
  let last: Position | undefined;
  for (const { slug, entries: own } of parts) {
    for (let index = firstOf(slug, own, after); index < own.length; index++) {
      const entry = own[index];
      if (entry === undefined) break;
      sum_chars += size_chars(entry);
      const isFull = entries.length >= bounds.items_count || sum_chars > bounds.chars;
      if (isFull && last !== undefined) return { entries, next: last };
      entries.push(entry);
      last = { slug, key: cut(entry), index };
    }
  }
  return { entries, next: undefined };
}

/** Index of the first item of a server that comes after the position. */
function firstOf(slug: string, entries: readonly Entry[], after: Position | undefined): number {
  if (after === undefined || slug > after.slug) return 0;
  if (slug < after.slug) return entries.length;
  const stood = entries[after.index];
  if (stood !== undefined && cut(stood) === after.key) return after.index + 1;
  const moved = entries.findIndex((entry) => cut(entry) === after.key);
  return moved === -1 ? after.index : moved + 1;
}

const cut = ({ original }: Entry): string => original.slice(0, limits.cursorKey_chars);
