/** What one warm call does outside its isolate, counted: figures without noise, so a test asserts them. */
import { startRuntime } from "../scripts/lib/runtime.ts";
import { callModern } from "../test/system/support/modern-request.ts";
import { enterprise, portOf, prepareCalls, sibling, sink, slugs, type Upstreams } from "./instance.ts";
import { legacyRequest, openSession } from "./legacy-request.ts";

export interface Operations {
  readonly d1: number;
  readonly kv: number;
  readonly do: number;
  readonly queue: number;
  readonly subrequests: number;
}

/** Of one kind of call. */
export interface CallOperations {
  /** The first in an isolate that knows nothing yet of the tenant or, behind others, of the upstream and the session. */
  readonly cold: Operations;
  /** On configuration, and facts of the session, that were checked less than a second ago. */
  readonly warm: Operations;
  /** The first call of each second also starts a check of the configuration, and of the session's facts, behind its answer. */
  readonly checking: Operations;
}

/** A client of 2026-07-28, and clients of 2025-11-25 with a server of either era. */
export interface Counted extends CallOperations {
  readonly legacy: CallOperations & { readonly initialize: Operations };
  readonly legacyToModern: CallOperations & { readonly initialize: Operations };
}

const counted = "bench-counted";
const timeout_ms = 30_000;
/** So many warm calls must all be the same. */
const calls_count = 5;
/** Past `limits.snapshotRefresh_ms`, and before `limits.snapshotFresh_ms`. */
const checkDue_ms = 1_500;
/** Between kinds of call: the clock never goes back, and what was checked for one is due for the next. */
const apart_ms = 10_000;

/** Sets the Worker's clock. @returns what was counted since the last time */
type Count = (now_ms: number) => Promise<Operations>;

/**
 * Counts the operations of governed `tools/call`s, at times that are set for the Worker.
 * @throws when a call fails, or when warm calls differ
 */
export async function countOperations(upstreams: Upstreams): Promise<Counted> {
  const { vars, prepare } = enterprise(upstreams);
  const runtime = await startRuntime({ vars, workers: [await sibling(counted, vars, "counted.js"), sink()] });
  try {
    const token = await prepareCalls(await prepare(runtime.url), upstreams);
    const origin = new URL(`http://localhost:${await portOf(runtime, counted)}`);
    const count: Count = async (now_ms) => {
      const url = new URL(`/.counted?now_ms=${now_ms}`, origin);
      const patience = AbortSignal.timeout(timeout_ms);
      // 503 while something still runs behind an answer.
      for (;;) {
        const answer = await fetch(url, { signal: patience });
        if (answer.ok) return (await answer.json()) as Operations;
        await answer.text();
      }
    };
    const start_ms = Date.now();
    const endpoint = new URL(`/mcp/${slugs.modern}`, origin);
    const modern = await countCalls(count, start_ms, async () => {
      const { text } = await callModern(endpoint, { method: "tools/call", params: call, token });
      return text;
    });
    return {
      ...modern,
      legacy: await countSession(count, start_ms + apart_ms, new URL(`/mcp/${slugs.legacy}`, origin), token),
      legacyToModern: await countSession(count, start_ms + 2 * apart_ms, endpoint, token),
    };
  } finally {
    await runtime.dispose();
  }
}

const call = { name: "small", arguments: { query: "text" } };

/** @param send makes one call and returns its answer */
async function countCalls(count: Count, start_ms: number, send: () => Promise<string>): Promise<CallOperations> {
  const counting = async (now_ms: number): Promise<Operations> => {
    await count(now_ms);
    const text = await send();
    if (!text.includes('"result":')) throw new Error(`A call failed: ${text}`);
    return count(now_ms);
  };
  const cold = await counting(start_ms);
  const warm = await counting(start_ms);
  for (let calls = 1; calls < calls_count; calls += 1) {
    const again = JSON.stringify(await counting(start_ms));
    if (again !== JSON.stringify(warm)) throw new Error(`Warm calls differ: ${JSON.stringify(warm)} and ${again}`);
  }
  return { cold, warm, checking: await counting(start_ms + checkDue_ms) };
}

/** The cold call is the first in a new session. */
async function countSession(count: Count, start_ms: number, endpoint: URL, token: string): Promise<Counted["legacy"]> {
  await count(start_ms);
  const session = await openSession(endpoint, token);
  const initialize = await count(start_ms);
  const { headers, body } = legacyRequest({ method: "tools/call", id: 1, params: call, token, session });
  const calls = await countCalls(count, start_ms, async () => {
    const answer = await fetch(endpoint, { method: "POST", headers, body, signal: AbortSignal.timeout(timeout_ms) });
    return answer.text();
  });
  return { initialize, ...calls };
}
