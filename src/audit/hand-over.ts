/** Waiting for somebody else's promise, but not for ever. */
import { limits } from "../limits.ts";
import { err, ok, type Clock, type Result } from "../ports.ts";

/**
 * The outcome of `work` within `limits.auditHandOver_ms`. A late success is no harm: every receiver drops repeated ids.
 * @returns the error that `work` threw, whatever it is, or a timeout
 */
export async function handOver<T>(work: () => Promise<T>, clock: Pick<Clock, "sleep">): Promise<Result<T, unknown>> {
  const attempt = async (): Promise<Result<T, unknown>> => {
    try {
      return ok(await work());
    } catch (error) {
      return err(error);
    }
  };
  // The sleep is not ended early: it ends with the invocation at no cost, and its clean-up would run on every call.
  const deadline = async (): Promise<Result<T, unknown>> => {
    await clock.sleep(limits.auditHandOver_ms);
    return err(new Error("The hand-over took too long."));
  };
  return Promise.race([attempt(), deadline()]);
}
