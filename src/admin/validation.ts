/** From a schema's verdict to `invalid_field`: which member and why, never its value, which may be a secret. */
import type * as z from "zod";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { fieldMessage } from "./field-messages.ts";
import { err, ok, type Json, type Result } from "../ports.ts";

const pathPart_chars = 64;

export interface FieldError {
  readonly path: string;
  readonly message: string;
}

export function invalidFields(errors: readonly FieldError[]): Failure {
  const listed: Json = errors
    .slice(0, limits.fieldErrors_count)
    .map(({ path, message }) => ({ path: path.slice(0, 4 * pathPart_chars), message }));
  const first = errors[0];
  const detail = first === undefined ? undefined : `${first.path === "" ? "The body" : first.path}: ${first.message}`;
  return failure("invalid_field", detail?.slice(0, 500), { reason: "invalid_field", data: { errors: listed } });
}

export const invalidField = (path: string, message: string): Failure => invalidFields([{ path, message }]);

/** @returns what the schema made of the value, or `invalid_field` with `errors: [{path, message}]` */
export function validate<T extends z.ZodType>(schema: T, value: unknown): Result<z.output<T>, Failure> {
  const parsed = schema.safeParse(value, { error: fieldMessage });
  return parsed.success ? ok(parsed.data) : err(invalidFields(parsed.error.issues.flatMap(toErrors)));
}

function toErrors(issue: z.core.$ZodIssue): FieldError[] {
  const at = (...more: PropertyKey[]): string =>
    [...issue.path, ...more].map((part) => String(part).slice(0, pathPart_chars)).join(".");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: at(key), message: "unknown member" }));
  }
  return [{ path: at(), message: issue.message }];
}
