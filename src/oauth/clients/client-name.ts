/** Names that clients give themselves, before anybody reads them. */
import { limits } from "../../limits.ts";

/**
 * What shows nothing or changes how its neighbours show: controls, format characters (bidirectional and zero-width ones among them),
 * line separators, private use, lone surrogates, fillers and variation selectors.
 */
const invisible =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Cn}\p{Variation_Selector}\u034F\u115F\u1160\u2800\u3164\uFFA0]/gu;

/** More marks than any script stacks on one letter: they would paint over the lines around. */
const stackedMarks = /(\p{M}{3})\p{M}+/gu;

/**
 * A name that is safe to show: one line, at most `limits.clientName_chars` UTF-16 units, no half of a surrogate pair. Escaping it is
 * the page's part.
 * @returns the empty string where nothing visible is left
 */
export function cleanName(text: string): string {
  // What stood between words separates them still.
  const visible = text
    .slice(0, limits.clientName_chars * 20)
    .replace(/[\p{Zs}\t\n\v\f\r\u0085\u2028\u2029]+/gu, " ")
    .replace(invisible, "")
    .replace(stackedMarks, "$1")
    .replace(/ +/g, " ")
    .trim();
  let name = "";
  for (const character of visible) {
    if (name.length + character.length > limits.clientName_chars) break;
    name += character;
  }
  return name.trim();
}
