/**
 * `npm test`: the checks of the code, every test, then the conformance suite. Arguments after `--` go to vitest alone, and then
 * nothing else runs: `npm test -- --project worker test/worker/vault`.
 */
import { mkdirSync, rmSync } from "node:fs";
import { run } from "./lib/child.ts";
import { bin, at } from "./lib/root.ts";
import { countsOf, type Counts } from "./lib/vitest-summary.ts";

const report = at("dist", "vitest.json");

async function vitest(args: readonly string[]): Promise<Counts> {
  rmSync(report, { force: true });
  const all = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...args];
  const done = await run(bin("vitest"), all, { output: "show" });
  return countsOf(report, done.code);
}

async function step(name: string): Promise<Counts> {
  process.stdout.write(`\n=== ${name}\n`);
  const done = await run(bin("node"), [at("scripts", `${name}.ts`)], { output: "show" });
  return done.code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

async function everything(): Promise<Counts> {
  // The rest runs also after a failure: one run should say everything that is wrong.
  const counts = [await step("check")];
  process.stdout.write("\n=== vitest\n");
  counts.push(await vitest([]), await step("conformance"));
  return {
    passed: counts.reduce((sum, one) => sum + one.passed, 0),
    failed: counts.reduce((sum, one) => sum + one.failed, 0),
  };
}

mkdirSync(at("dist"), { recursive: true });
const args = process.argv.slice(2);
const { passed, failed } = args.length > 0 ? await vitest(args) : await everything();
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
