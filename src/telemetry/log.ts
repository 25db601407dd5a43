/** The log: one JSON object on one line, without secrets and of bounded size, whatever is handed in. */
import { limits } from "../limits.ts";
import { redactMembers, redactText } from "./redact.ts";

export type Level = "debug" | "info" | "warn" | "error";

/** Never throws. `message` is a constant sentence; what varies belongs into `fields`. */
export type Log = (level: Level, message: string, fields: Record<string, unknown>) => void;

/**
 * Characters that JSON leaves as they are but a terminal or a log viewer acts on: C1 controls (among them an escape of one
 * character), line and paragraph separators, and marks that change the direction of text.
 */
const active = /[\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069\uFEFF]/g;

const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** @param write takes one line, without its line break */
export function createLogger(write: (level: Level, line: string) => void): Log {
  return function log(level, message, fields) {
    const head = { level, message: redactText(message) };
    const line = lineOf(head, fields);
    const short = line.length <= limits.logLine_chars ? line : JSON.stringify({ ...head, cut_chars: line.length });
    write(level, short.replace(active, escape));
  };
}

/** The head wins: no field can pretend to be another level or message. */
function lineOf(head: object, fields: Record<string, unknown>): string {
  try {
    return JSON.stringify({ ...head, ...redactMembers(fields), ...head });
  } catch {
    // A getter threw. Logging must not break what it reports on.
    return JSON.stringify({ ...head, fields: "unreadable" });
  }
}

/** The platform's console, by level. */
export const log: Log = createLogger((level, line) => console[level](line));
