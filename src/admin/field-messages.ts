/** What is wrong with a member, in plain words instead of the schema library's: what it must be, never what was sent. */
import type * as z from "zod";

/** For schemas that say nothing themselves. */
export function fieldMessage(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined) return "is needed";
      return `must be ${kinds.get(issue.expected) ?? "of another kind"}`;
    case "invalid_value":
      return oneOf(issue.input, issue.values);
    case "invalid_union":
      return ofUnion(issue);
    case "too_small":
      return bounded("at least", issue.origin, Number(issue.minimum));
    case "too_big":
      return bounded("at most", issue.origin, Number(issue.maximum));
    case "invalid_format":
      return formats.get(issue.format) ?? "has a form or characters that are not allowed here";
    case "invalid_key":
      return `is no name for it: ${issue.issues[0]?.message ?? "take another"}`;
    default:
      return "is not allowed here";
  }
}

/** @param values what is taken; they are ours */
export function oneOf(input: unknown, values: readonly unknown[]): string {
  const listed = values.map(String).join(", ");
  if (input === undefined) return values.length === 1 ? `is needed: ${listed}` : `is needed, one of ${listed}`;
  return values.length === 1 ? `must be ${listed}` : `must be one of ${listed}`;
}

/** By the library's name. */
const kinds: ReadonlyMap<string, string> = new Map([
  ["string", "text"],
  ["number", "a number"],
  ["int", "a whole number"],
  ["boolean", "true or false"],
  ["array", "a list"],
  ["object", "an object"],
  ["record", "an object"],
  ["null", "null"],
  ["never", "left out"],
]);

const formats: ReadonlyMap<string, string> = new Map([
  ["uuid", "must be a UUID"],
  ["url", "must be a URL"],
  ["email", "must be an e-mail address"],
  ["datetime", "must be a time with its offset (RFC 3339)"],
  ["safeint", "must be a whole number"],
]);

function ofUnion(issue: z.core.$ZodRawIssue<z.core.$ZodIssueInvalidUnion>): string {
  const { discriminator, options } = issue;
  if (discriminator !== undefined) {
    return oneOf(memberOf(issue.input, discriminator), Array.isArray(options) ? options : []);
  }
  const messages = issue.errors.flatMap(([first]) => (first === undefined ? [] : [first.message]));
  return messages.length === 0 ? "is not allowed here" : [...new Set(messages)].join(", or ");
}

/** Of a discriminated union the library gives the whole object. */
export const memberOf = (input: unknown, name: string): unknown =>
  typeof input === "object" && input !== null ? Object.entries(input).find(([key]) => key === name)?.[1] : undefined;

/** What is counted, by the library's name of what is too long or short; of everything else it is the number itself. */
const counted: ReadonlyMap<string, readonly [one: string, many: string]> = new Map([
  ["string", ["character", "characters"]],
  ["array", ["item", "items"]],
  ["set", ["item", "items"]],
  ["map", ["member", "members"]],
]);

function bounded(how: "at least" | "at most", origin: string, bound: number): string {
  const unit = counted.get(origin);
  if (unit === undefined) return `must be ${how} ${bound}`;
  if (how === "at least" && bound === 1) return "must not be empty";
  return `must have ${how} ${bound} ${bound === 1 ? unit[0] : unit[1]}`;
}
