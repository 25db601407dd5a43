/**
 * The official MCP conformance suite, first against the fixture itself, then against the fixture behind Gatehouse in
 * enterprise mode. `npm run conformance`, or with `-- --json` for one JSON object on standard output.
 */
import { parseArgs } from "node:util";
import { startFixture } from "../test/system/support/fixture-server.ts";
import { createApi, issueClientToken, registerServer, setUp } from "./lib/admin-api.ts";
import { startBearerShim } from "./lib/bearer-shim.ts";
import { runSuite, type SuiteResult } from "./lib/conformance-suite.ts";
import { newKey, newSecret } from "./lib/keys.ts";
import { startRuntime } from "./lib/runtime.ts";

const revisions = ["2026-07-28"];

interface ConformanceSet extends SuiteResult {
  readonly requirements: string;
  readonly side: "fixture" | "gatehouse";
}

/** Everything that was started, ended in reverse order, also when a later step fails. */
async function withGatehouse<T>(upstream: URL, use: (endpoint: URL) => Promise<T>): Promise<T> {
  const secret = newSecret();
  const runtime = await startRuntime({
    vars: {
      GATEHOUSE_MODE: "enterprise",
      GATEHOUSE_TENANTS: "default=localhost",
      GATEHOUSE_KEYS: newKey("conformance"),
      GATEHOUSE_SETUP_SECRET: secret,
      GATEHOUSE_EGRESS_ORIGINS: upstream.origin,
    },
  });
  try {
    const api = createApi(runtime.url, await setUp(runtime.url, secret));
    await registerServer(api, { slug: "fixture", url: upstream.href });
    const { token } = await issueClientToken(api, ["fixture"], "conformance");
    const shim = await startBearerShim(runtime.url, token);
    try {
      return await use(new URL("/mcp/fixture", shim.url));
    } finally {
      await shim.close();
    }
  } finally {
    await runtime.dispose();
  }
}

async function runAll(): Promise<ConformanceSet[]> {
  const fixture = await startFixture();
  try {
    const sets: ConformanceSet[] = [];
    for (const requirements of revisions) {
      sets.push({ requirements, side: "fixture", ...(await runSuite(fixture.url, requirements)) });
    }
    await withGatehouse(fixture.url, async (endpoint) => {
      for (const requirements of revisions) {
        sets.push({ requirements, side: "gatehouse", ...(await runSuite(endpoint, requirements)) });
      }
    });
    return sets;
  } finally {
    await fixture.close();
  }
}

function report(sets: readonly ConformanceSet[]): string {
  const rows = sets.map(
    (set) => `${set.requirements}  ${set.side.padEnd(9)}  ${String(set.passed).padStart(3)} of ${set.required}`,
  );
  const failures = sets.flatMap((set) =>
    set.failed.flatMap(({ scenario, reasons }) => [
      `\n${set.side}: ${scenario}`,
      ...reasons.map((reason) => `  ${reason}`),
    ]),
  );
  return ["MCP conformance, required server scenarios", ...rows, ...failures].join("\n");
}

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const sets = await runAll();
if (values.json) {
  const plain = sets.map((set) => ({ ...set, failed: set.failed.map(({ scenario }) => scenario) }));
  process.stdout.write(`${JSON.stringify({ sets: plain })}\n`);
  process.stderr.write(sets.some((set) => set.failed.length > 0) ? `${report(sets)}\n` : "");
} else {
  process.stdout.write(`${report(sets)}\n`);
}
process.exitCode = sets.every((set) => set.failed.length === 0) ? 0 : 1;
