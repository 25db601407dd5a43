/** What one warm call does outside its isolate, counted: figures without noise, so a test asserts them. */
import { issueClientToken } from "../scripts/lib/admin-api.ts";
import { startRuntime } from "../scripts/lib/runtime.ts";
import { callModern } from "../test/system/support/modern-request.ts";
import { enterprise, sibling, sink } from "./instance.ts";

export interface Operations {
  readonly d1: number;
  readonly kv: number;
  readonly do: number;
  readonly queue: number;
  readonly subrequests: number;
}

/** Of one call. */
export interface Counted {
  /** The first in an isolate that knows nothing yet of the tenant, nor of the upstream. */
  readonly cold: Operations;
  /** On configuration that was checked less than a second ago. */
  readonly warm: Operations;
  /** The first call of each second also starts a check of the configuration, behind its answer. */
  readonly checking: Operations;
}

const counted = "bench-counted";
const timeout_ms = 30_000;
/** So many warm calls must all be the same. */
const calls_count = 5;
/** Past `limits.snapshotRefresh_ms`, and before `limits.snapshotFresh_ms`. */
const checkDue_ms = 1_500;

/**
 * Counts the operations of governed `tools/call`s, at times that are set for the Worker.
 * @param upstream answers a tool named `small`
 * @throws when a call fails, or when warm calls differ
 */
export async function countOperations(upstream: URL, token: string): Promise<Counted> {
  const { vars, prepare } = enterprise(upstream);
  const runtime = await startRuntime({ vars, workers: [await sibling(counted, vars, "counted.js"), sink()] });
  try {
    const api = await prepare(runtime.url, upstream, token, 1);
    const client = await issueClientToken(api, ["bench"]);
    const { port } = await runtime.mf.unsafeGetDirectURL(counted);
    const origin = new URL(`http://localhost:${port}`);
    const start_ms = Date.now();

    /** Sets the Worker's clock. @returns what was counted since the last time */
    const counts = async (now_ms: number): Promise<Operations> => {
      const url = new URL(`/.counted?now_ms=${now_ms}`, origin);
      return (await (await fetch(url, { signal: AbortSignal.timeout(timeout_ms) })).json()) as Operations;
    };
    const call = async (now_ms: number): Promise<Operations> => {
      await counts(now_ms);
      const params = { name: "small", arguments: { query: "text" } };
      const answer = await callModern(new URL("/mcp/bench", origin), {
        method: "tools/call",
        params,
        token: client.token,
      });
      if (answer.message?.result === undefined) throw new Error(`A call failed: HTTP ${answer.status} ${answer.text}`);
      return counts(now_ms);
    };

    const cold = await call(start_ms);
    const warm = await call(start_ms);
    for (let calls = 1; calls < calls_count; calls += 1) {
      const again = JSON.stringify(await call(start_ms));
      if (again !== JSON.stringify(warm)) throw new Error(`Warm calls differ: ${JSON.stringify(warm)} and ${again}`);
    }
    return { cold, warm, checking: await call(start_ms + checkDue_ms) };
  } finally {
    await runtime.dispose();
  }
}
