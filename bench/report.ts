/** The figures of a run as one JSON object. */
import { keyOf, type Call, type CallFigures } from "./calls.ts";
import type { IdleFigures } from "./idle.ts";
import type { ListFigures } from "./lists.ts";
import type { Sample } from "./meter.ts";
import type { CallOperations, Operations } from "./operations.ts";
import type { Figures } from "./run.ts";
import type { SessionFigures } from "./sessions.ts";
import { median, rounded } from "./statistics.ts";
import { delay_ms } from "./upstream.ts";

interface Ratios {
  readonly p50_ratio: number | null;
  readonly p99_ratio: number | null;
  readonly rps_ratio: number | null;
  readonly cpu_ratio: number | null;
}

export interface Row extends Ratios {
  readonly path: string;
  readonly connections: number;
  /** The path that the ratios are against. */
  readonly baseline: string;
  /** The same ratios against the bare floor. */
  readonly floor: Ratios;
  readonly p50_us: number | null;
  readonly p99_us: number | null;
  readonly rps: number | null;
  readonly cpu_us: number | null;
}

export interface SessionRow {
  readonly upstream: "modern" | "legacy";
  readonly sessions: number;
  readonly cpu_us: number | null;
  /** Against a call in one session through the bare Worker, round by round. */
  readonly floor_cpu_ratio: number | null;
  /** That ratio against the same with the fewest sessions: what having more of them costs. */
  readonly growth_ratio: number | null;
  readonly opening_cpu_us: number | null;
  readonly first_cpu_us: number | null;
  readonly memory_bytes: number | null;
}

export interface ListRow {
  readonly upstreams: number;
  readonly answer_bytes: number;
  readonly p50_us: number | null;
  readonly p99_us: number | null;
  readonly cpu_us: number | null;
  /** Against a bare Worker that answers as many bytes. */
  readonly static: Pick<Ratios, "p50_ratio" | "cpu_ratio">;
  /** Against one that also makes the two audit sends. */
  readonly static_audit: Pick<Ratios, "p50_ratio" | "cpu_ratio">;
  readonly restarted_us: number | null;
  readonly discovered_us: number | null;
  readonly cold_us: number | null;
  readonly cold_cpu_us: number | null;
  /** One question to each upstream, over as many connections as the gateway uses at once. */
  readonly round_us: number;
  readonly discovered_ratio: number | null;
  readonly cold_ratio: number | null;
}

export interface Report {
  readonly rows: readonly Row[];
  readonly operations: (Operations & Readonly<Record<"legacy" | "legacy_to_modern", CallOperations>>) | null;
  readonly sessions: readonly SessionRow[];
  readonly lists: readonly ListRow[];
  /** One call with an access token, alone: medians. */
  readonly idle: Readonly<Record<keyof IdleFigures, number | null>> | null;
  readonly memory: { readonly start_bytes: number | null; readonly end_bytes: number | null };
  readonly rounds: number;
  readonly calls: number;
  readonly machine: Figures["machine"];
}

const figure = (samples: readonly Sample[], member: keyof Sample, decimals = 0): number | null =>
  rounded(median(samples.map((sample) => sample[member])), decimals);

/** Round by round, since both were measured within seconds of each other; then the median. */
function medianRatio(samples: readonly Sample[], base: readonly Sample[], member: keyof Sample): number | undefined {
  const ratios = samples.map((sample, round) => {
    const [of, to] = [sample[member], base[round]?.[member]];
    return of === undefined || to === undefined ? undefined : of / to;
  });
  return median(ratios);
}

const ratio = (samples: readonly Sample[], base: readonly Sample[], member: keyof Sample): number | null =>
  rounded(medianRatio(samples, base, member), 2);

const twoRatios = (samples: readonly Sample[], base: readonly Sample[]): Pick<Ratios, "p50_ratio" | "cpu_ratio"> => ({
  p50_ratio: ratio(samples, base, "p50_us"),
  cpu_ratio: ratio(samples, base, "cpu_us"),
});

const ratios = (samples: readonly Sample[], base: readonly Sample[]): Ratios => ({
  ...twoRatios(samples, base),
  p99_ratio: ratio(samples, base, "p99_us"),
  rps_ratio: ratio(samples, base, "rps"),
});

function toRows({ calls, samples }: CallFigures): Row[] {
  const of = (path: string, connections: number): readonly Sample[] => samples.get(keyOf(path, connections)) ?? [];
  return calls.map(({ path, connections, baseline, floor }: Call) => {
    const own = of(path, connections);
    return {
      path,
      connections,
      baseline,
      ...ratios(own, of(baseline, connections)),
      floor: ratios(own, of(floor, connections)),
      p50_us: figure(own, "p50_us"),
      p99_us: figure(own, "p99_us"),
      rps: figure(own, "rps"),
      cpu_us: figure(own, "cpu_us"),
    };
  });
}

function toSessionRows(figures: readonly SessionFigures[]): SessionRow[] {
  const cpu = ({ governed, floor }: SessionFigures): number | undefined => medianRatio(governed, floor, "cpu_us");
  return figures.map((own) => {
    const { era, sessions, governed, opened, first, memory_bytes } = own;
    const fewest = figures.find((other) => other.era === era && other.governed.length > 0);
    const [now, before] = [cpu(own), fewest === undefined ? undefined : cpu(fewest)];
    return {
      upstream: era,
      sessions,
      cpu_us: figure(governed, "cpu_us"),
      floor_cpu_ratio: rounded(now, 2),
      growth_ratio: rounded(now === undefined || before === undefined ? undefined : now / before, 2),
      opening_cpu_us: figure(opened, "cpu_us"),
      first_cpu_us: figure(first, "cpu_us"),
      memory_bytes: rounded(memory_bytes, 0),
    };
  });
}

/** The gateway's own bound on connections that wait for headers: one less than the platform's six. */
const connections_count = 5;

function toListRow({ upstreams, answer_bytes, warm, cold, discovered, restarted, ...rest }: ListFigures): ListRow {
  const round_us = Math.ceil(upstreams / connections_count) * delay_ms * 1000;
  const overRound = (samples: readonly Sample[]): number | null => {
    const p50_us = median(samples.map((sample) => sample.p50_us));
    return rounded(p50_us === undefined ? undefined : p50_us / round_us, 2);
  };
  return {
    upstreams,
    answer_bytes,
    p50_us: figure(warm, "p50_us"),
    p99_us: figure(warm, "p99_us"),
    cpu_us: figure(warm, "cpu_us"),
    static: twoRatios(warm, rest.static),
    static_audit: twoRatios(warm, rest.staticAudit),
    restarted_us: figure(restarted, "p50_us"),
    discovered_us: figure(discovered, "p50_us"),
    cold_us: figure(cold, "p50_us"),
    cold_cpu_us: figure(cold, "cpu_us"),
    round_us,
    discovered_ratio: overRound(discovered),
    cold_ratio: overRound(cold),
  };
}

export function toReport({ operations, calls, sessions, lists, machine, calls_count }: Figures): Report {
  const samples = [...(calls?.samples.values() ?? [])];
  return {
    rows: calls === undefined ? [] : toRows(calls),
    operations:
      operations === undefined
        ? null
        : { ...operations.warm, legacy: operations.legacy, legacy_to_modern: operations.legacyToModern },
    sessions: toSessionRows(sessions),
    lists: lists.map(toListRow),
    idle:
      calls === undefined
        ? null
        : {
            warm_us: rounded(median([...calls.idle.warm_us]), 0),
            new_token_us: rounded(median([...calls.idle.new_token_us]), 0),
            after_idle_us: rounded(median([...calls.idle.after_idle_us]), 0),
          },
    memory: {
      start_bytes: rounded(calls?.memory.start_bytes, 0),
      end_bytes: rounded(calls?.memory.end_bytes, 0),
    },
    rounds: Math.max(0, ...samples.map((list) => list.length)),
    calls: calls_count,
    machine: { ...machine, load_average: Number(machine.load_average.toFixed(2)) },
  };
}
