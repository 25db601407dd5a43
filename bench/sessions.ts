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
  readonly opening: Sample;
  /** The first call in one, which opens the session with a server of 2025. */
  readonly first: Sample;
  readonly memory_bytes: number | undefined;
}

const connections = 16;
/** Loads are bounded in time, so that many calls are made in several. */
const firstCalls_count = 500;

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
  // The first one stands for none: with it everything is loaded that a session needs.
  for (const sessions of [1, ...plan.sizes]) {
    progress(`Opening ${sessions} sessions, ${era} upstream`);
    const opened = await meter.sample({ ...opening, open: sessions, connections: Math.min(connections, sessions) });
    const { answer: expected } = await meter.once({ ...calling, sessions });
    const load = { ...calling, expected, sessions };
    const first: Sample[] = [];
    for (let at = 0; at < sessions; at += firstCalls_count) {
      const calls = Math.min(firstCalls_count, sessions - at);
      first.push(await meter.sample({ ...load, calls, connections: Math.min(connections, calls) }));
    }
    const memory_bytes = meter.memory_bytes();
    const cells = [floor, { key: "governed", answer_bytes: expected.length, load: { ...load, calls: plan.calls } }];
    const samples = sessions === 1 ? undefined : await meter.rounds(cells, plan, progress);
    figures.push({
      ...{ sessions, era, opening: opened, memory_bytes },
      governed: samples?.get("governed") ?? [],
      floor: samples?.get("floor") ?? [],
      first: first[first.length >> 1] ?? opened,
    });
  }
  return figures;
}
