/**
 * Sessions of clients of 2025-11-25, more and more of them: what a call costs when it goes round all that are open, beside calls
 * in one session through a bare Worker, and how much memory they hold.
 */
import { slugs, type Instance } from "./instance.ts";
import { initializedNotification, initializeRequest, legacyRequest, openSession } from "./legacy-request.ts";
import { idMark } from "./message.ts";
import type { Meter, Sample } from "./meter.ts";
import type { Plan } from "./plan.ts";

export interface SessionFigures {
  readonly sessions: number;
  /** Of the upstream server. */
  readonly era: "modern" | "legacy";
  /** In the order of rounds. */
  readonly governed: readonly Sample[];
  readonly floor: readonly Sample[];
  /** Opening one: `initialize` and the notification after it. */
  readonly opened: readonly Sample[];
  /** The first call in one, which opens the session with a server of 2025. */
  readonly first: readonly Sample[];
  readonly memory_bytes: number | undefined;
}

const connections = 16;
/** A load is bounded in time, so that many sessions are opened, and many first calls made, in several. */
const step_count = 500;
/** Before the first look at the memory: by then it no longer grows with calls alone. */
const warmUp_count = 3_000;

/** Numbers up to `count` in steps, the last of them `count` itself. */
const steps = (from: number, count: number): number[] =>
  Array.from({ length: Math.ceil((count - from) / step_count) }, (_, at) =>
    Math.min(from + (at + 1) * step_count, count),
  );

export async function measureSessions(
  { sessions: plan }: Plan,
  { ports, token }: Instance,
  era: "modern" | "legacy",
  upstreamToken: string,
  meter: Meter,
  progress: (line: string) => void,
): Promise<SessionFigures[]> {
  const call = { method: "tools/call", params: { name: "small", arguments: { query: "text" } }, id: Number(idMark) };
  const path = `/mcp/${slugs[era]}`;
  const floorPort = ports["floor legacy"];
  const session = await openSession(new URL(`http://localhost:${floorPort}${path}`), upstreamToken);
  const floor = await meter.prepare("floor", {
    ...{ port: floorPort, path, connections, calls: plan.calls },
    ...legacyRequest({ ...call, token: upstreamToken, session }),
  });
  const target = { port: ports.governed, path, connections };
  const opening = { ...target, ...initializeRequest(token), initialized: initializedNotification(token) };
  const calling = { ...target, ...legacyRequest({ ...call, token }) };
  const figures: SessionFigures[] = [];
  let open = 0;
  // The first size stands for none: with one session everything is loaded that sessions need.
  for (const sessions of [1, ...plan.sizes]) {
    progress(`${sessions} sessions, ${era} upstream`);
    const opened: Sample[] = [];
    for (const count of steps(open, sessions)) {
      opened.push(await meter.sample({ ...opening, open: count, connections: Math.min(connections, count) }));
    }
    open = sessions;
    const { answer: expected } = await meter.once({ ...calling, sessions });
    const load = { ...calling, expected, sessions, connections: Math.min(connections, sessions) };
    const first: Sample[] = [];
    for (const count of steps(0, sessions)) {
      const calls = count - step_count * first.length;
      first.push(await meter.sample({ ...load, calls, connections: Math.min(load.connections, calls) }));
    }
    const cells = [floor, { key: "governed", answer_bytes: expected.length, load: { ...load, calls: plan.calls } }];
    if (sessions === 1) await meter.sample({ ...load, calls: warmUp_count });
    const samples = sessions === 1 ? undefined : await meter.rounds(cells, plan, progress);
    figures.push({
      ...{ sessions, era, opened, first },
      governed: samples?.get("governed") ?? [],
      floor: samples?.get("floor") ?? [],
      memory_bytes: meter.memory_bytes(),
    });
  }
  return figures;
}
