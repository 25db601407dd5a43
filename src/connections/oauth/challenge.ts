/**
 * `WWW-Authenticate` of a server that wants a credential, or a better one. It is the text of somebody who may mean us harm: read in one
 * pass, within bounds, and never a reason to fail.
 * @see RFC 9110 section 11.6.1; RFC 6750 section 3; RFC 9728 section 5.1
 */
import { limits } from "../../limits.ts";
import type { Challenge } from "../types.ts";

interface Parsed {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const token68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y;
/** No backtracking: each character of the text belongs to one branch only. */
const quoted = /"((?:[^"\\]|\\.)*)"/sy;
const gap = /[ \t]*/y;
const separators = /[ \t,]*/y;

class Reader {
  at = 0;
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  get isOver(): boolean {
    return this.at >= this.text.length;
  }

  /** @returns the text that matched here, or the first group of it */
  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match === null) return undefined;
    this.at = pattern.lastIndex;
    return match[1] ?? match[0];
  }

  takes(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }
}

/**
 * @returns what the server asks for: of the challenges for bearer tokens (DPoP, RFC 9449 section 7.1, among them) the first that says
 *   something; undefined without one. What comes behind a defect is not read.
 */
export function parseChallenge(headers: Headers): Challenge | undefined {
  const text = (headers.get("www-authenticate") ?? "").slice(0, limits.challenge_chars);
  const usable = challenges(text).filter(({ scheme }) => scheme === "bearer" || scheme === "dpop");
  const [first] = usable;
  const told = usable.find(({ parameters }) => parameters.has("resource_metadata") || parameters.has("scope")) ?? first;
  return told === undefined ? undefined : challengeOf(told);
}

function challengeOf({ parameters }: Parsed): Challenge {
  const error = parameters.get("error");
  const scope = parameters.get("scope");
  const resource_metadata = parameters.get("resource_metadata");
  return {
    // A word of the protocol, or nothing: it goes to the log.
    ...(error !== undefined && /^[a-z_]{1,64}$/.test(error) ? { error } : {}),
    ...(scope !== undefined && scope.length <= limits.scope_chars ? { scope } : {}),
    ...(resource_metadata === undefined ? {} : { resource_metadata }),
  };
}

function challenges(text: string): Parsed[] {
  const reader = new Reader(text);
  const found: Parsed[] = [];
  while (found.length < limits.challenges_count) {
    reader.take(separators);
    const scheme = reader.take(token)?.toLowerCase();
    if (scheme === undefined) return found;
    const read = parametersOf(reader);
    found.push({ scheme, parameters: read.parameters });
    if (!read.isWhole || reader.isOver) return found;
  }
  return found;
}

/** Up to the next challenge: a name that no `=` follows is the scheme of one. */
function parametersOf(reader: Reader): { readonly parameters: Map<string, string>; readonly isWhole: boolean } {
  const parameters = new Map<string, string>();
  const start = reader.at;
  reader.take(gap);
  if (reader.at > start && reader.take(token68) !== undefined) return { parameters, isWhole: true };
  for (;;) {
    reader.take(separators);
    if (reader.isOver) return { parameters, isWhole: true };
    const mark = reader.at;
    const name = reader.take(token)?.toLowerCase();
    if (name === undefined) return { parameters, isWhole: false };
    reader.take(gap);
    if (!reader.takes("=")) {
      reader.at = mark;
      return { parameters, isWhole: true };
    }
    reader.take(gap);
    const value = reader.take(quoted)?.replace(/\\(.)/gs, "$1") ?? reader.take(token);
    if (value === undefined) return { parameters, isWhole: false };
    // RFC 9110 section 11.2: a name occurs once. The second could be for another reader.
    if (!parameters.has(name)) parameters.set(name, value);
  }
}
