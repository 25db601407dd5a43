/**
 * The built Worker beside bare Workers in the same instance: `npm run bench`, with `-- --json` for one JSON object on standard
 * output, with `-- --quick` for a look in less than a minute. docs/performance.md says how to read it.
 */
import { parseArgs } from "node:util";
import { toReport, toText } from "../bench/report.ts";
import { fullPlan, quickPlan, runBenchmark } from "../bench/run.ts";

const { values } = parseArgs({
  options: { json: { type: "boolean", default: false }, quick: { type: "boolean", default: false } },
});

const stopped = new AbortController();
// `on`, not `once`: without a listener left, a library that hooks signals would end the process before workerd is stopped.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => stopped.abort(new Error("The benchmark was stopped.")));
}

try {
  const figures = await runBenchmark(values.quick ? quickPlan : fullPlan, stopped.signal, (line) =>
    process.stderr.write(`${line}\n`),
  );
  const report = toReport(figures);
  process.stdout.write(`${values.json ? JSON.stringify(report) : toText(report)}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = stopped.signal.aborted ? 130 : 1;
}
