/** Plain calls through each Worker: of a client of 2026-07-28, and of one of 2025-11-25 in a session. */
import { modernRequest } from "../test/system/support/modern-request.ts";
import { measureIdle, type IdleFigures } from "./idle.ts";
import { slugs, type Instance, type Place } from "./instance.ts";
import { legacyRequest, openSession } from "./legacy-request.ts";
import { idMark } from "./message.ts";
import type { Cell, Meter, Samples } from "./meter.ts";
import type { Plan } from "./plan.ts";

/** A cell, and the paths that it is compared with. */
export interface Call extends Cell {
  readonly path: string;
  readonly connections: number;
  /** The path that its ratios are against: governed calls against the floor that makes the same audit sends. */
  readonly baseline: string;
  readonly floor: string;
}

export interface CallFigures {
  readonly calls: readonly Call[];
  readonly samples: Samples;
  readonly memory: { readonly start_bytes: number | undefined; readonly end_bytes: number | undefined };
  readonly idle: IdleFigures;
}

export const keyOf = (path: string, connections: number): string => `${path} ${connections}`;

const largeConnections = 16;
const legacyConnections = [1, 16];
const modernPlaces: readonly Place[] = ["floor", "floor+audit", "governed", "governed+ledger"];
const callOf = (name: string): object => ({ name, arguments: { query: "twenty characters ..." } });

type Request = Pick<Cell["load"], "port" | "path" | "headers" | "body">;

export async function measureCalls(
  { calls: plan }: Plan,
  instance: Instance,
  upstreamToken: string,
  meter: Meter,
  progress: (line: string) => void,
): Promise<CallFigures> {
  const start_bytes = meter.memory_bytes();
  progress("Warming up");
  const calls: Call[] = [];
  const add = async (
    path: string,
    floor: string,
    request: Request,
    connections: number,
    count: number,
    baseline = path.startsWith("governed") ? floor.replace("floor", "floor+audit") : floor,
  ) => {
    const cell = await meter.prepare(keyOf(path, connections), { ...request, connections, calls: count });
    calls.push({ ...cell, path, connections, baseline, floor });
  };
  const tokenOf = (place: Place): string => (place.startsWith("floor") ? upstreamToken : instance.token);

  const modern = (place: Place, tool: string, token = tokenOf(place)): Request => ({
    port: instance.ports[place],
    path: `/mcp/${slugs.modern}`,
    ...modernRequest({
      method: "tools/call",
      params: { ...callOf(tool) },
      token,
      id: Number(idMark),
    }),
  });
  for (const place of modernPlaces) {
    for (const [connections, count] of plan.small)
      await add(place, "floor", modern(place, "small"), connections, count);
  }
  // What an access token costs over a machine token: against the very same calls.
  const accessToken = await instance.newAccessToken();
  for (const [connections, count] of plan.small) {
    const request = modern("governed", "small", accessToken);
    await add("governed access token", "floor", request, connections, count, "governed");
  }
  for (const place of ["floor", "floor+audit", "governed"] as const) {
    await add(`${place} 64 KiB`, "floor 64 KiB", modern(place, "large"), largeConnections, plan.large);
  }

  const legacy = async (place: Place, path: string): Promise<Request> => {
    const [port, token] = [instance.ports[place], tokenOf(place)];
    const session = await openSession(new URL(path, `http://localhost:${port}`), token);
    const params = { ...callOf("small") };
    const id = Number(idMark);
    return { port, path, ...legacyRequest({ method: "tools/call", params, id, token, session }) };
  };
  // The bare Worker cannot translate: both are compared with a client and a server of 2025 that talk through it.
  const rows: readonly (readonly [path: string, place: Place, slug: string])[] = [
    ["floor legacy", "floor legacy", slugs.legacy],
    ["floor+audit legacy", "floor+audit legacy", slugs.legacy],
    ["governed legacy", "governed", slugs.legacy],
    ["governed legacy to modern", "governed", slugs.modern],
  ];
  for (const [path, place, slug] of rows) {
    const request = await legacy(place, `/mcp/${slug}`);
    for (const connections of legacyConnections) {
      await add(path, "floor legacy", request, connections, plan.small.get(connections) ?? plan.large);
    }
  }
  const samples = await meter.rounds(calls, plan, progress);
  const memory = { start_bytes, end_bytes: meter.memory_bytes() };
  progress("Calls after a pause");
  return { calls, samples, memory, idle: await measureIdle(instance) };
}
