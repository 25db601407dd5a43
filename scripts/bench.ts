/**
 * The built Worker beside bare Workers in the same instance: `npm run bench`, with `-- --json` for one JSON object on standard
 * output, with `-- --quick` for a short look, with `-- --only=calls,sessions,lists,operations` for some of the parts.
 * docs/performance.md says how to read it.
 */
import { parseArgs } from "node:util";
import { fullPlan, parts, quickPlan, type Plan } from "../bench/plan.ts";
import { toReport } from "../bench/report.ts";
import { runBenchmark } from "../bench/run.ts";
import { toText } from "../bench/text.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    only: { type: "string" },
  },
});

/** @throws for a part that does not exist */
function planOf({ quick, only }: typeof values): Plan {
  const plan = quick ? quickPlan : fullPlan;
  if (only === undefined) return plan;
  const chosen = only.split(",").map((name) => {
    const part = parts.find((one) => one === name);
    if (part === undefined) throw new Error(`There is no part "${name}". The parts are ${parts.join(", ")}.`);
    return part;
  });
  return { ...plan, only: new Set(chosen) };
}

const stopped = new AbortController();
// `on`, not `once`: without a listener left, a library that hooks signals would end the process before workerd is stopped.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => stopped.abort(new Error("The benchmark was stopped.")));
}

try {
  const figures = await runBenchmark(planOf(values), stopped.signal, (line) => process.stderr.write(`${line}\n`));
  const report = toReport(figures);
  process.stdout.write(`${values.json ? JSON.stringify(report) : toText(report)}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = stopped.signal.aborted ? 130 : 1;
}
