import type { Exchange } from "./exchange.ts";

/**
 * Runs a fan-out under one deadline: what is not done by then is aborted, whether it waits for a connection or for an
 * upstream.
 */
export async function withDeadline<T, C extends Pick<Exchange, "platform" | "signal">>(
  exchange: C,
  total_ms: number,
  run: (bounded: C) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const finished = new AbortController();
  const expiry = async (): Promise<void> => {
    await exchange.platform.ports.clock.sleep(total_ms, finished.signal);
    // The sleep ends early when the work is done; what came out of it, a stream for instance, may live on.
    if (!finished.signal.aborted) deadline.abort();
  };
  void expiry();
  try {
    return await run({ ...exchange, signal: AbortSignal.any([exchange.signal, deadline.signal]) });
  } finally {
    finished.abort("finished");
  }
}
