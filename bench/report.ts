/** The figures of a run as one JSON object and as a table. */
import type { Cell, Figures, Sample } from "./run.ts";
import { median, rounded } from "./statistics.ts";

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

export interface Report {
  readonly rows: readonly Row[];
  readonly operations: Figures["operations"];
  readonly lists: readonly {
    readonly upstreams: number;
    readonly answer_bytes: number;
    readonly p50_us: number | null;
    readonly p99_us: number | null;
    readonly cpu_us: number | null;
  }[];
  readonly memory: { readonly start_bytes: number | null; readonly end_bytes: number | null };
  readonly rounds: number;
  readonly calls: number;
  readonly machine: Figures["machine"];
}

const figure = (samples: readonly Sample[], member: keyof Sample, decimals = 0): number | null =>
  rounded(median(samples.map((sample) => sample[member])), decimals);

/** Round by round, since both were measured within seconds of each other; then the median. */
function ratio(samples: readonly Sample[], base: readonly Sample[], member: keyof Sample): number | null {
  const ratios = samples.map((sample, round) => {
    const [of, to] = [sample[member], base[round]?.[member]];
    return of === undefined || to === undefined ? undefined : of / to;
  });
  return rounded(median(ratios), 2);
}

const ratios = (samples: readonly Sample[], base: readonly Sample[]): Ratios => ({
  p50_ratio: ratio(samples, base, "p50_us"),
  p99_ratio: ratio(samples, base, "p99_us"),
  rps_ratio: ratio(samples, base, "rps"),
  cpu_ratio: ratio(samples, base, "cpu_us"),
});

/** `governed 64 KiB` is compared with `floor+audit 64 KiB`. */
function baselines(path: string): { base: string; floor: string } {
  const [place = "", ...rest] = path.split(" ");
  const suffix = rest.length === 0 ? "" : ` ${rest.join(" ")}`;
  return { base: (place.startsWith("governed") ? "floor+audit" : "floor") + suffix, floor: `floor${suffix}` };
}

export function toReport({ cells, samples, operations, memory, calls, machine }: Figures): Report {
  const of = (path: string, connections: number): readonly Sample[] => samples.get(`${path} ${connections}`) ?? [];
  const row = ({ path, connections }: Cell): Row => {
    const own = of(path, connections);
    const { base, floor } = baselines(path);
    return {
      path,
      connections,
      baseline: base,
      ...ratios(own, of(base, connections)),
      floor: ratios(own, of(floor, connections)),
      p50_us: figure(own, "p50_us"),
      p99_us: figure(own, "p99_us"),
      rps: figure(own, "rps"),
      cpu_us: figure(own, "cpu_us"),
    };
  };
  return {
    rows: cells.filter(({ upstreams }) => upstreams === undefined).map(row),
    operations,
    lists: cells.flatMap(({ path, connections, upstreams, answer_bytes }) => {
      if (upstreams === undefined) return [];
      const own = of(path, connections);
      const figures = { p50_us: figure(own, "p50_us"), p99_us: figure(own, "p99_us"), cpu_us: figure(own, "cpu_us") };
      return [{ upstreams, answer_bytes, ...figures }];
    }),
    memory: { start_bytes: rounded(memory.start_bytes, 0), end_bytes: rounded(memory.end_bytes, 0) },
    rounds: Math.max(0, ...[...samples.values()].map((list) => list.length)),
    calls,
    machine: { ...machine, load_average: Number(machine.load_average.toFixed(2)) },
  };
}

const shown = (value: number | string | null): string => (value === null ? "n/a" : String(value));

function table(head: readonly string[], rows: readonly (readonly (number | string | null)[])[]): string[] {
  const lines = [head, ...rows.map((row) => row.map(shown))];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

const mebibytes = (bytes: number | null): string => (bytes === null ? "n/a" : `${Math.round(bytes / 1024 / 1024)} MiB`);

export function toText({ rows, operations, lists, memory, rounds, calls, machine }: Report): string {
  const calling = table(
    ["path", "conn", "cpu_us", "p50_us", "p99_us", "calls/s", "cpu_ratio", "p50_ratio", "cpu/floor", "p50/floor"],
    rows.map((row) => [
      row.path,
      row.connections,
      row.cpu_us,
      row.p50_us,
      row.p99_us,
      row.rps,
      row.cpu_ratio,
      row.p50_ratio,
      row.floor.cpu_ratio,
      row.floor.p50_ratio,
    ]),
  );
  const listing = table(
    ["tools/list, warm: upstreams", "bytes", "cpu_us", "p50_us", "p99_us"],
    lists.map((list) => [list.upstreams, list.answer_bytes, list.cpu_us, list.p50_us, list.p99_us]),
  );
  const counts = Object.entries(operations)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
  return [
    "tools/call; ratios of governed rows are against floor+audit, which makes the same audit sends",
    ...["", ...calling, "", ...listing, ""],
    `Operations of a warm call: ${counts}`,
    `Memory of workerd: ${mebibytes(memory.start_bytes)} at the start, ${mebibytes(memory.end_bytes)} at the end`,
    `${calls} calls in ${rounds} rounds, every answer compared`,
    `${machine.cores} cores, ${machine.pinned ? "one of them for workerd and one for the rest" : "nothing pinned"}; load average before the run ${machine.load_average}`,
  ].join("\n");
}
