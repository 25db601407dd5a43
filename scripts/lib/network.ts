/** Loopback ports and waiting for a server to answer. */
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Whether the port can be bound on loopback now. */
export async function isFree(port: number, host = "127.0.0.1"): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A port that was free a moment ago, for programs that cannot be told to choose one themselves. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  return await new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen({ port: 0, host, exclusive: true }, () => {
      const address = probe.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

/**
 * Asks until the server answers anything at all.
 * @param until gives up early, for instance when the server's process has ended
 * @returns false when it did not answer within `timeout_ms`
 */
export async function answers(url: URL | string, timeout_ms: number, until?: Promise<unknown>): Promise<boolean> {
  const deadline = performance.now() + timeout_ms;
  let given_up = false;
  void until?.then(() => (given_up = true));
  while (performance.now() < deadline && !given_up) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(2_000), redirect: "manual" });
      await response.body?.cancel();
      return true;
    } catch {
      // Refused connections are what is waited for.
      await sleep(50);
    }
  }
  return false;
}
