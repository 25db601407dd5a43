/** The report for people: a table for each part that was measured. */
import type { ListRow, Report, Row, SessionRow } from "./report.ts";

type Value = number | string | null;

const shown = (value: Value): string => (value === null ? "n/a" : String(value));

function table(head: readonly string[], rows: readonly (readonly Value[])[]): string[] {
  if (rows.length === 0) return [];
  const lines = [head, ...rows.map((row) => row.map(shown))];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const written = lines.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  return [...written, ""];
}

const mebibytes = (bytes: number | null): string => (bytes === null ? "n/a" : `${Math.round(bytes / 1024 / 1024)} MiB`);

const callRow = (row: Row): Value[] => [
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
];

const sessionRow = (row: SessionRow): Value[] => [
  row.upstream,
  row.sessions,
  row.cpu_us,
  row.floor_cpu_ratio,
  row.growth_ratio,
  row.opening_cpu_us,
  row.first_cpu_us,
  mebibytes(row.memory_bytes),
];

const listRow = (row: ListRow): Value[] => [
  row.upstreams,
  row.answer_bytes,
  row.cpu_us,
  row.p50_us,
  row.static.cpu_ratio,
  row.static_audit.cpu_ratio,
  row.restarted_us,
  row.discovered_us,
  row.discovered_ratio,
  row.cold_us,
  row.cold_ratio,
];

function counts({ operations }: Report): string[] {
  if (operations === null) return [];
  const { legacy, legacy_to_modern, ...modern } = operations;
  const said = (of: object): string =>
    Object.entries(of)
      .map(([name, count]) => `${count} ${name}`)
      .join(", ");
  return [
    `Operations of a warm call: ${said(modern)}`,
    `  in a session of 2025-11-25: ${said(legacy.warm)}; to a server of 2026-07-28: ${said(legacy_to_modern.warm)}`,
  ];
}

function waits({ idle }: Report): string[] {
  if (idle === null) return [];
  const { warm_us, new_token_us, after_idle_us } = idle;
  return [
    `One call with an access token, alone: ${shown(warm_us)} us warm, ${shown(new_token_us)} us with a new token, ${shown(after_idle_us)} us after a pause`,
  ];
}

export function toText(report: Report): string {
  const { rows, sessions, lists, memory, rounds, calls, machine } = report;
  return [
    "Ratios of governed rows are against floor+audit, which makes the same audit sends",
    "",
    ...table(
      [
        "tools/call",
        "conn",
        "cpu_us",
        "p50_us",
        "p99_us",
        "calls/s",
        "cpu_ratio",
        "p50_ratio",
        "cpu/floor",
        "p50/floor",
      ],
      rows.map(callRow),
    ),
    ...table(
      ["upstream", "sessions", "cpu_us", "cpu/floor", "growth", "opening_cpu_us", "first_cpu_us", "memory"],
      sessions.map(sessionRow),
    ),
    ...table(
      [
        ...["upstreams of a list", "bytes", "cpu_us", "p50_us", "cpu/static", "cpu/static+audit"],
        ...["restarted_us", "discovered_us", "/round", "cold_us", "/round"],
      ],
      lists.map(listRow),
    ),
    ...counts(report),
    ...waits(report),
    `Memory of workerd: ${mebibytes(memory.start_bytes)} at the start of the calls, ${mebibytes(memory.end_bytes)} at the end`,
    `${calls} calls, those of the first table in ${rounds} rounds, every answer compared`,
    `${machine.cores} cores, ${machine.pinned ? "one of them for workerd and one for the rest" : "nothing pinned"}; load average before the run ${machine.load_average}`,
  ].join("\n");
}
