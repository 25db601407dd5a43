/** Runs the official conformance suite and reads what it wrote. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { run } from "./child.ts";
import { freePort } from "./network.ts";
import { at, bin } from "./root.ts";

/** The side of the protocol that is tested. */
export type Leg = "server" | "client" | "authorization";

export interface Outcome {
  readonly scenario: string;
  /** Why it failed; none where it passed. */
  readonly reasons: readonly string[];
}

export interface SuiteResult {
  /** What the revision requires. */
  readonly scored: readonly Outcome[];
  /** What the suite runs as well without counting it: extensions, and scenarios that are younger than the revision. */
  readonly unscored: readonly Outcome[];
}

/** The reason where every check of a scenario was skipped or only informs. */
export const nothingChecked = "nothing was checked";

/** The command that plays the client. The suite splits it at blanks and gives it to a shell, so that quotes hold. */
export const conformanceDriver = `"${bin("node")}" "${fileURLToPath(new URL("conformance-driver.ts", import.meta.url))}"`;

/** For all scenarios of a revision together, and for one. */
const server_ms = 180_000;
const client_ms = 30_000;
const authorization_ms = 60_000;
/** What the suite itself needs around a client that runs out of time. */
const margin_ms = 15_000;

const checksSchema = z.array(
  z.object({ id: z.string(), status: z.string(), errorMessage: z.string().optional() }).loose(),
);

/** The list that the suite ships, frozen for each revision. */
export function requirementsOf(revision: string, leg: Leg): { scored: string[]; unscored: string[] } {
  const file = at("node_modules", "@modelcontextprotocol", "conformance", "requirements", `${revision}.yaml`);
  if (!existsSync(file)) throw new Error(`The conformance suite has no requirements for ${revision}.`);
  const scored: string[] = [];
  const unscored: string[] = [];
  let section = "";
  let entry = "";
  for (const line of readFileSync(file, "utf8").split("\n")) {
    section = /^([a-z_]+):/.exec(line)?.[1] ?? section;
    const name = /^\s+-\s+([\w/-]+)\s*(?:#.*)?$/.exec(line)?.[1];
    if (section === leg && name !== undefined) scored.push(name);
    if (section !== "not_scored") continue;
    entry = /^\s+-\s+scenario:\s*([\w/-]+)/.exec(line)?.[1] ?? entry;
    if (/^\s+leg:\s*(\w+)/.exec(line)?.[1] === leg) unscored.push(entry);
  }
  return { scored, unscored };
}

/** @param bad the statuses that fail a scenario */
function judge(directory: string, prefix: string, scenario: string, bad: readonly string[]): Outcome {
  // The suite names its folders `{prefix}{scenario}-{time}`, a scenario may have a slash in its name, and one's may begin with another's.
  const mine = readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => name.replace(/-\d{4}-\d\d-\d\dT[\dZ-]+$/, "") === `${prefix}${scenario}`)
    .map((name) => join(directory, name, "checks.json"))
    .filter((file) => existsSync(file));
  const checks = mine.flatMap((file) => checksSchema.parse(JSON.parse(readFileSync(file, "utf8"))));
  const reasons = checks
    .filter((check) => bad.includes(check.status))
    .map((check) => `${check.id}: ${check.errorMessage ?? check.status.toLowerCase()}`);
  // A scenario that checked nothing proved nothing.
  if (reasons.length === 0 && !checks.some((check) => check.status === "SUCCESS")) reasons.push(nothingChecked);
  return { scenario, reasons };
}

async function inDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "gatehouse-conformance-"));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * All scenarios for servers.
 * @param url an MCP endpoint on this machine
 * @throws when the suite itself did not run
 */
export async function runServerSuite(url: URL, revision: string): Promise<SuiteResult> {
  return await inDirectory(async (directory) => {
    const args = ["server", "--url", url.href, "--requirements", revision, "--output-dir", directory];
    const done = await run(bin("conformance"), args, { cwd: directory, timeout_ms: server_ms });
    if (readdirSync(directory).length === 0) {
      throw new Error(`The conformance suite did not run (exit ${done.code}):\n${done.stdout}${done.stderr}`);
    }
    const { scored, unscored } = requirementsOf(revision, "server");
    const outcome = (scenario: string): Outcome => judge(directory, "server-", scenario, ["FAILURE"]);
    return { scored: scored.map(outcome), unscored: unscored.map(outcome) };
  });
}

/**
 * One scenario for clients: the suite starts a server and runs `command` with its URL.
 * @param env more variables for the command
 */
export async function runClientScenario(
  command: string,
  env: Record<string, string>,
  revision: string,
  scenario: string,
): Promise<Outcome> {
  return await inDirectory(async (directory) => {
    const args = ["client", "--command", command, "--scenario", scenario, "--spec-version", revision];
    const bounds = ["--timeout", String(client_ms), "--output-dir", directory];
    const timeout_ms = client_ms + margin_ms;
    const done = await run(bin("conformance"), [...args, ...bounds], { cwd: directory, env, timeout_ms });
    // The suite fails a client for a warning too.
    const { reasons } = judge(directory, "", scenario, ["FAILURE", "WARNING"]);
    if (done.code === 0 || reasons.length > 0) return { scenario, reasons };
    return { scenario, reasons: [`exit ${done.code}: ${(done.stderr + done.stdout).trim().slice(-400)}`] };
  });
}

export interface AuthorizationClient {
  /** Registered with `http://127.0.0.1/callback` on any port. */
  readonly client_id: string;
  /** URL of the MCP endpoint that the token is for. */
  readonly resource: string;
  /** Goes to the authorization endpoint as a person does, signs in there and agrees. */
  authorize(url: string): Promise<void>;
}

/**
 * All scenarios for authorization servers; every check counts, warnings and skipped ones too.
 * @param issuer exactly as in its metadata
 * @throws when the suite itself did not run, or nobody could agree
 */
export async function runAuthorizationSuite(
  issuer: string,
  revision: string,
  { client_id, resource, authorize }: AuthorizationClient,
): Promise<SuiteResult> {
  return await inDirectory(async (directory) => {
    const args = ["authorization", "--url", issuer, "--client-id", client_id, "--resource", resource];
    const bounds = ["--port", String(await freePort()), "--spec-version", revision, "--output-dir", directory];
    let authorized: Promise<void> | undefined;
    const done = await run(bin("conformance"), [...args, ...bounds], {
      cwd: directory,
      timeout_ms: authorization_ms,
      watch(stdout) {
        const url = /^(https?:\/\/\S+[?&]code_challenge=\S+)\n/m.exec(stdout)?.[1];
        if (url === undefined || authorized !== undefined) return;
        authorized = authorize(url);
        // Told below, once the suite has ended.
        authorized.catch(() => undefined);
      },
    });
    await authorized;
    const scenarios = [...done.stdout.matchAll(/^=== Running scenario: (\S+) ===$/gm)].map(([, name = ""]) => name);
    if (scenarios.length === 0) {
      throw new Error(`The conformance suite did not run (exit ${done.code}):\n${done.stdout}${done.stderr}`);
    }
    const bad = ["FAILURE", "WARNING", "SKIPPED"];
    const scored = scenarios.map((scenario) => judge(directory, "authorization-server-", scenario, bad));
    return { scored, unscored: [] };
  });
}
