/** Runs the official conformance suite against a URL and reads what it wrote. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { run } from "./child.ts";
import { at, bin } from "./root.ts";

export interface Failed {
  readonly scenario: string;
  readonly reasons: readonly string[];
}

export interface SuiteResult {
  readonly required: number;
  readonly passed: number;
  readonly failed: readonly Failed[];
}

const timeout_ms = 180_000;

const checksSchema = z.array(
  z.object({ id: z.string(), status: z.string(), errorMessage: z.string().optional() }).loose(),
);

/** The scenarios that a server must pass, from the list that the suite ships, frozen for each revision. */
function requiredScenarios(revision: string): string[] {
  const file = at("node_modules", "@modelcontextprotocol", "conformance", "requirements", `${revision}.yaml`);
  if (!existsSync(file)) throw new Error(`The conformance suite has no requirements for ${revision}.`);
  const names: string[] = [];
  let section = "";
  for (const line of readFileSync(file, "utf8").split("\n")) {
    section = /^([a-z_]+):/.exec(line)?.[1] ?? section;
    const name = /^\s+-\s+([\w-]+)\s*(?:#.*)?$/.exec(line)?.[1];
    if (section === "server" && name !== undefined) names.push(name);
  }
  return names;
}

function judge(directory: string, scenario: string, folders: readonly string[]): Failed | undefined {
  // The suite names its folders `server-{scenario}-{time}`; one scenario's name may begin with another's.
  const mine = folders.filter((name) => name.replace(/-\d{4}-\d\d-\d\dT[\dZ-]+$/, "") === `server-${scenario}`);
  const checks = mine.flatMap((name) =>
    checksSchema.parse(JSON.parse(readFileSync(join(directory, name, "checks.json"), "utf8"))),
  );
  const reasons = checks
    .filter((check) => check.status === "FAILURE")
    .map((check) => `${check.id}: ${check.errorMessage ?? "failed"}`);
  // A scenario that checked nothing proved nothing.
  if (!checks.some((check) => check.status === "SUCCESS")) reasons.push("no check succeeded");
  return reasons.length === 0 ? undefined : { scenario, reasons };
}

/**
 * @param url an MCP endpoint on this machine
 * @throws when the suite itself did not run
 */
export async function runSuite(url: URL, revision: string): Promise<SuiteResult> {
  const directory = mkdtempSync(join(tmpdir(), "gatehouse-conformance-"));
  try {
    const args = ["server", "--url", url.href, "--requirements", revision, "--output-dir", directory];
    const done = await run(bin("conformance"), args, { cwd: directory, timeout_ms });
    const folders = readdirSync(directory).filter((name) => existsSync(join(directory, name, "checks.json")));
    if (folders.length === 0) {
      throw new Error(`The conformance suite did not run (exit ${done.code}):\n${done.stdout}${done.stderr}`);
    }
    const required = requiredScenarios(revision);
    const failed = required.flatMap((scenario) => judge(directory, scenario, folders) ?? []);
    return { required: required.length, passed: required.length - failed.length, failed };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
