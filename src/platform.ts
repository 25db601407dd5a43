/** What one invocation of the Worker has at hand. Made in `app.ts`, handed down; nothing below reaches for a global. */
import type { Configuration } from "./env.ts";
import type { Ports, WaitUntil } from "./ports.ts";

/** Who Gatehouse is, to clients and to upstream servers. */
export const implementation = { name: "gatehouse", version: "0.1.0" } as const;

/** One line of JSON on the console, redacted; see `telemetry/`. */
export type Log = (
  level: "debug" | "info" | "warn" | "error",
  message: string,
  fields: Record<string, unknown>,
) => void;

export interface Platform {
  readonly configuration: Configuration;
  readonly ports: Ports;
  readonly bindings: Env;
  readonly waitUntil: WaitUntil;
  readonly log: Log;
}
