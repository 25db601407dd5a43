/** `npm run check`: everything about the code that needs no test run. One line for each check, details where one fails. */
import { mkdirSync } from "node:fs";
import { run } from "./lib/child.ts";
import { checkDeployable } from "./lib/deployable.ts";
import { generated } from "./lib/generated.ts";
import { at, bin } from "./lib/root.ts";

interface Outcome {
  readonly passed: boolean;
  /** A figure worth seeing, or what failed. */
  readonly text?: string;
}

interface Check {
  readonly name: string;
  readonly run: () => Promise<Outcome>;
}

const tool = (name: string, command: string, ...args: readonly string[]): Check => ({
  name,
  run: async () => {
    const done = await run(bin(command), args);
    return done.code === 0 ? { passed: true } : { passed: false, text: `${done.stdout}${done.stderr}` };
  },
});

const checks: readonly Check[] = [
  tool("format", "oxfmt", "--check"),
  tool("lint", "oxlint", "--deny-warnings", "--report-unused-disable-directives"),
  tool("rooms", "node", at("scripts", "check-rooms.ts")),
  tool("ids", "node", at("scripts", "check-ids.ts")),
  tool("types of the Worker", "tsc", "-p", "."),
  tool("types of scripts and tests", "tsc", "-p", "tsconfig.node.json"),
  tool("dead code", "knip", "--no-progress", "--no-config-hints"),
  ...generated.map(({ name, drift }): Check => ({
    name,
    run: async () => {
      const text = await drift();
      return text === undefined ? { passed: true } : { passed: false, text };
    },
  })),
  {
    name: "deploy (dry run)",
    run: async () => {
      const { note, problems } = await checkDeployable();
      return problems.length === 0 ? { passed: true, text: note } : { passed: false, text: problems.join("\n") };
    },
  },
];

const lines_max = 60;

function shortened(text: string): string {
  const lines = text.trimEnd().split("\n");
  if (lines.length <= lines_max) return lines.join("\n");
  return [...lines.slice(0, lines_max), `… and ${lines.length - lines_max} more lines`].join("\n");
}

async function timed(check: Check): Promise<boolean> {
  const begin = performance.now();
  const outcome = await check.run().catch((error: unknown): Outcome => ({ passed: false, text: String(error) }));
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  const detail =
    outcome.text === undefined ? "" : outcome.passed ? `  ${outcome.text}` : `\n${shortened(outcome.text)}`;
  process.stdout.write(`${outcome.passed ? "ok  " : "FAIL"}  ${check.name}  ${seconds} s${detail}\n`);
  return outcome.passed;
}

/** Runs two checks at a time: most of them use more than one core by themselves. */
async function runAll(): Promise<boolean> {
  const queue = [...checks];
  let passed = true;
  const lane = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (!(await timed(next))) passed = false;
    }
  };
  await Promise.all([lane(), lane()]);
  return passed;
}

mkdirSync(at("dist"), { recursive: true });
const begin = performance.now();
const passed = await runAll();
process.stdout.write(
  `check: ${passed ? "passed" : "failed"} in ${((performance.now() - begin) / 1000).toFixed(1)} s\n`,
);
process.exitCode = passed ? 0 : 1;
