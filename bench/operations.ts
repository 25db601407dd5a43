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

const counted = "bench-counted";
/** At least one of them checks the snapshot against its Durable Object, which happens once a second. */
const calls_max = 10_000;
const calls_count = 10;

/**
 * Counts the operations of governed `tools/call`s that follow the once-a-second check of the snapshot.
 * @param upstream answers a tool named `small`
 * @returns operations of one call; of ten if they are not the same for each
 * @throws when a call fails
 */
export async function countOperations(upstream: URL, token: string): Promise<Operations> {
  const { vars, prepare } = enterprise(upstream);
  const runtime = await startRuntime({ vars, workers: [await sibling(counted, vars, "counted.js"), sink()] });
  try {
    const api = await prepare(runtime.url, upstream, token, 1);
    const client = await issueClientToken(api, ["bench"]);
    const { port } = await runtime.mf.unsafeGetDirectURL(counted);
    const origin = new URL(`http://localhost:${port}`);

    const call = async (): Promise<Operations> => {
      const params = { name: "small", arguments: { query: "text" } };
      const answer = await callModern(new URL("/mcp/bench", origin), {
        method: "tools/call",
        params,
        token: client.token,
      });
      if (answer.message?.result === undefined) throw new Error(`A call failed: HTTP ${answer.status} ${answer.text}`);
      const counts = await fetch(new URL("/.counted", origin), { signal: AbortSignal.timeout(10_000) });
      return (await counts.json()) as Operations;
    };

    // The first call fills every cache, and loads the configuration.
    await call();
    for (let calls = 0; (await call()).do === 0; calls += 1) {
      if (calls === calls_max) throw new Error("The snapshot was never checked.");
    }
    const counts: Operations[] = [];
    for (let calls = 0; calls < calls_count; calls += 1) counts.push(await call());
    const [first] = counts;
    const same = first !== undefined && counts.every((one) => JSON.stringify(one) === JSON.stringify(first));
    return same ? first : counts.reduce(sum);
  } finally {
    await runtime.dispose();
  }
}

const sum = (a: Operations, b: Operations): Operations => ({
  d1: a.d1 + b.d1,
  kv: a.kv + b.kv,
  do: a.do + b.do,
  queue: a.queue + b.queue,
  subrequests: a.subrequests + b.subrequests,
});
