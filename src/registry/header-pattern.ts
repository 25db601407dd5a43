/** Patterns of header names, in which `*` stands for any characters and every other character for itself. Pure. */
import { canonicalHeader } from "./header-name.ts";

/** A pattern that is ready to be compared with names that `canonicalHeader` wrote. */
export interface HeaderPattern {
  /** What stands before the first `*`; the whole name where there is none. */
  readonly head: string;
  /** What stands between two of them, in order. */
  readonly middle: readonly string[];
  /** What stands behind the last; undefined where there is none. */
  readonly tail: string | undefined;
}

export function readPattern(text: string): HeaderPattern {
  const [head = "", ...rest] = canonicalHeader(text).split("*");
  return { head, middle: rest.slice(0, -1).filter((part) => part !== ""), tail: rest.at(-1) };
}

/**
 * Anchored at both ends. Each part is looked for once, from where the last one ended: the first place is as good as any later one,
 * so nothing is ever tried again, and the time is that of reading the name once.
 * @param name in canonical form
 */
export function fits({ head, middle, tail }: HeaderPattern, name: string): boolean {
  if (tail === undefined) return name === head;
  if (name.length < head.length + tail.length || !name.startsWith(head) || !name.endsWith(tail)) return false;
  const end = name.length - tail.length;
  let at = head.length;
  for (const part of middle) {
    const found = name.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
