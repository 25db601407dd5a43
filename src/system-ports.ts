/** The real clock, randomness and network. Everything else takes them as ports. */
import { v7 } from "uuid";
import type { Ports } from "./ports.ts";

export const systemPorts: Ports = {
  clock: {
    now: () => Date.now(),
    sleep: (duration_ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) return resolve();
        const timer = setTimeout(done, duration_ms);
        function done(): void {
          clearTimeout(timer);
          signal?.removeEventListener("abort", done);
          resolve();
        }
        signal?.addEventListener("abort", done, { once: true });
      }),
  },
  random: {
    bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    uuid: () => v7(),
  },
  network: (request) => fetch(request),
};
