/** Which headers of the caller go on to a server. */
import * as z from "zod";
import { limits } from "../limits.ts";
import type { AgentAuthentication } from "./agent-authentication.ts";
import { canonicalHeader } from "./header-name.ts";
import { fits, readPattern, type HeaderPattern } from "./header-pattern.ts";
import { fitsOnlyNever, isNeverForwarded } from "./never-forwarded.ts";

/** A header name in which `*` stands for any characters, none among them. */
export const headerPatternSchema = z
  .string()
  .min(1)
  .max(limits.headerPattern_chars)
  .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, "must be a header name, in which * stands for any characters");

export const inboundHeadersSchema = z.strictObject({
  /** Null: all of them for agent authentication `passthrough`, none for others. */
  forward: z.array(headerPatternSchema).max(limits.headerPatterns_count).nullable().default(null),
  /** Stripped, whatever `forward` says. Some are always stripped: see docs/headers.md. */
  restrict: z.array(headerPatternSchema).max(limits.headerPatterns_count).default([]),
});

export type InboundHeaders = z.infer<typeof inboundHeadersSchema>;

/** Of a server, what says which headers go on. */
export interface HeaderRules {
  readonly agent_authentication: Pick<AgentAuthentication, "type">;
  readonly inbound_headers: InboundHeaders;
}

/** Not part of the schema, which also reads what was stored before a name became one that never goes on. */
export function inboundHeadersProblem({ forward }: InboundHeaders): string | undefined {
  const idle = (forward ?? []).find(fitsOnlyNever);
  return idle === undefined ? undefined : `"${idle}" is never forwarded: see docs/headers.md for the list`;
}

interface Patterns {
  readonly forward: readonly HeaderPattern[];
  readonly restrict: readonly HeaderPattern[];
}

const all = [readPattern("*")];

/** Rules are immutable and live as long as their snapshot. */
const read = new WeakMap<
  InboundHeaders,
  Omit<Patterns, "forward"> & { readonly forward: Patterns["forward"] | null }
>();

function patternsOf({ agent_authentication, inbound_headers }: HeaderRules): Patterns {
  const known = read.get(inbound_headers) ?? {
    forward: inbound_headers.forward?.map(readPattern) ?? null,
    restrict: inbound_headers.restrict.map(readPattern),
  };
  read.set(inbound_headers, known);
  return { ...known, forward: known.forward ?? (agent_authentication.type === "passthrough" ? all : []) };
}

/**
 * The headers of a request that go on to the server by its rules, names in lower case. What the sender named in `Connection` was for
 * the hop to us only (RFC 9110 section 7.6.1).
 */
export function goingOn(rules: HeaderRules, headers: Headers): (readonly [name: string, value: string])[] {
  const { forward, restrict } = patternsOf(rules);
  if (forward.length === 0) return [];
  const named = new Set((headers.get("connection") ?? "").split(",").map((name) => canonicalHeader(name.trim())));
  return [...headers].filter(([name]) => {
    const canonical = canonicalHeader(name);
    if (named.has(canonical) || isNeverForwarded(canonical)) return false;
    const isOneOf = (patterns: readonly HeaderPattern[]) => patterns.some((pattern) => fits(pattern, canonical));
    return isOneOf(forward) && !isOneOf(restrict);
  });
}
