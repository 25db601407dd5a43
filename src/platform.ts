/** What one invocation of the Worker has at hand. Made in `app.ts`, handed down; nothing below reaches for a global. */
import type { Configuration } from "./env.ts";
import type { Ports, WaitUntil } from "./ports.ts";

export interface Platform {
  readonly configuration: Configuration;
  readonly ports: Ports;
  readonly bindings: Env;
  readonly waitUntil: WaitUntil;
}
