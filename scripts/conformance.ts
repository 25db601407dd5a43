/**
 * The official MCP conformance suite. `npm run conformance`, or with `-- --json` for one JSON object on standard output.
 *
 * As a server: the fixture by itself, then the fixture behind Gatehouse in enterprise mode. As a client: the suite's own
 * servers behind Gatehouse, where those want OAuth with a person who connects an account. As an authorization server: with a person who signs in and agrees.
 */
import { parseArgs } from "node:util";
import { startFixture, type Eras } from "../test/system/support/fixture-server.ts";
import { createApi, issueClientToken, registerServer, setUp } from "./lib/admin-api.ts";
import { startBearerShim } from "./lib/bearer-shim.ts";
import { withAuthorizationServer } from "./lib/conformance-authorization.ts";
import {
  conformanceDriver,
  nothingChecked,
  requirementsOf,
  runAuthorizationSuite,
  runClientScenario,
  runServerSuite,
  type Leg,
  type Outcome,
  type SuiteResult,
} from "./lib/conformance-suite.ts";
import { newKey, newSecret } from "./lib/keys.ts";
import { startRuntime } from "./lib/runtime.ts";

interface ConformanceSet extends SuiteResult {
  readonly requirements: string;
  readonly leg: Leg;
  /** What is tested: the fixture by itself or Gatehouse. */
  readonly side: "fixture" | "gatehouse";
  /** Revisions that the fixture behind it speaks; none where the suite brings the server. */
  readonly fixture?: Eras;
}

const modern = "2026-07-28";
const legacy = "2025-11-25";

/** What the suite is run against: its own revision alone, and both on one URL. */
const runs: readonly { readonly requirements: string; readonly fixture: Eras }[] = [
  { requirements: modern, fixture: "modern" },
  { requirements: modern, fixture: "both" },
  { requirements: legacy, fixture: "legacy" },
  { requirements: legacy, fixture: "both" },
];

type Endpoints = Readonly<Record<Eras, URL>>;

/** Each use ends what it started, also when a later step fails. */
async function withFixtures<T>(use: (endpoints: Endpoints) => Promise<T>): Promise<T> {
  const [modernOnly, legacyOnly, both] = await Promise.all([
    startFixture({ eras: "modern" }),
    startFixture({ eras: "legacy" }),
    startFixture({ eras: "both" }),
  ]);
  try {
    return await use({ modern: modernOnly.url, legacy: legacyOnly.url, both: both.url });
  } finally {
    await Promise.all([modernOnly.close(), legacyOnly.close(), both.close()]);
  }
}

async function withGatehouse<T>(upstreams: Endpoints, use: (endpoints: Endpoints) => Promise<T>): Promise<T> {
  const secret = newSecret();
  const servers = Object.entries(upstreams).map(([slug, url]) => ({ slug, url: url.href }));
  const runtime = await startRuntime({
    vars: {
      GATEHOUSE_MODE: "enterprise",
      GATEHOUSE_TENANTS: "default=localhost",
      GATEHOUSE_KEYS: newKey("conformance"),
      GATEHOUSE_SETUP_SECRET: secret,
      GATEHOUSE_EGRESS_ORIGINS: Object.values(upstreams)
        .map(({ origin }) => origin)
        .join(" "),
    },
  });
  try {
    const api = createApi(runtime.url, await setUp(runtime.url, secret));
    for (const server of servers) await registerServer(api, server);
    const { token } = await issueClientToken(api, Object.keys(upstreams), "conformance");
    const shim = await startBearerShim(runtime.url, token);
    const endpoint = (slug: Eras): URL => new URL(`/mcp/${slug}`, shim.url);
    try {
      return await use({ modern: endpoint("modern"), legacy: endpoint("legacy"), both: endpoint("both") });
    } finally {
      await shim.close();
    }
  } finally {
    await runtime.dispose();
  }
}

async function serverSets(side: ConformanceSet["side"], endpoints: Endpoints): Promise<ConformanceSet[]> {
  const sets: ConformanceSet[] = [];
  for (const run of runs) {
    sets.push({ ...run, leg: "server", side, ...(await runServerSuite(endpoints[run.fixture], run.requirements)) });
  }
  return sets;
}

/** The suite chooses the ports of its servers as it goes; in development mode every port of this machine may be an upstream. */
async function clientSets(): Promise<ConformanceSet[]> {
  const runtime = await startRuntime({
    vars: {
      GATEHOUSE_MODE: "development",
      GATEHOUSE_TENANTS: "default=localhost",
      GATEHOUSE_KEYS: newKey("conformance"),
    },
  });
  try {
    const env = { GATEHOUSE_CONFORMANCE_URL: runtime.url.href };
    const sets: ConformanceSet[] = [];
    for (const requirements of [modern, legacy]) {
      const scored: Outcome[] = [];
      for (const scenario of requirementsOf(requirements, "client").scored) {
        scored.push(await runClientScenario(conformanceDriver, env, requirements, scenario));
      }
      sets.push({ requirements, leg: "client", side: "gatehouse", scored, unscored: [] });
    }
    return sets;
  } finally {
    await runtime.dispose();
  }
}

/** The suite freezes no list for this side: it says itself what it checks for each revision. */
const authorizationRevisions = ["2025-03-26", "2025-06-18", legacy, modern] as const;

async function authorizationSets(): Promise<ConformanceSet[]> {
  return await withAuthorizationServer(async (issuer, client) => {
    const sets: ConformanceSet[] = [];
    for (const requirements of authorizationRevisions) {
      const result = await runAuthorizationSuite(issuer, requirements, client);
      sets.push({ requirements, leg: "authorization", side: "gatehouse", ...result });
    }
    return sets;
  });
}

interface Sorted {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** What did not apply: every check was skipped. Required scenarios have to check something. */
  readonly unchecked: readonly string[];
}

function sortedByOutcome(outcomes: readonly Outcome[]): Sorted {
  const kindOf = ({ reasons: [first] }: Outcome): keyof Sorted =>
    first === undefined ? "passed" : first === nothingChecked ? "unchecked" : "failed";
  const names = (kind: keyof Sorted): string[] =>
    outcomes.filter((one) => kindOf(one) === kind).map(({ scenario }) => scenario);
  return { passed: names("passed"), failed: names("failed"), unchecked: names("unchecked") };
}

const failures = (outcomes: readonly Outcome[]): readonly Outcome[] => outcomes.filter((one) => one.reasons.length > 0);
const passedCount = (set: ConformanceSet): number => set.scored.length - failures(set.scored).length;

/** One line for a set, then what its revision does not count, then each failure with its reasons. */
function report(sets: readonly ConformanceSet[]): string {
  const title = (set: ConformanceSet): string =>
    [set.requirements, set.leg, set.side.padEnd(9), (set.fixture ?? "").padEnd(6)].join("  ");
  const lines = sets.map((set) => `${title(set)}  ${String(passedCount(set)).padStart(3)} of ${set.scored.length}`);
  const apart = sets
    .filter((set) => set.unscored.length > 0)
    .flatMap((set) => [
      title(set),
      ...Object.entries(sortedByOutcome(set.unscored))
        .filter(([, names]) => names.length > 0)
        .map(([kind, names]) => `  ${kind}: ${names.join(", ")}`),
    ]);
  const reasons = sets.flatMap((set) =>
    failures(set.scored).flatMap((one) => [
      `\n${title(set)}  ${one.scenario}`,
      ...one.reasons.map((reason) => `  ${reason}`),
    ]),
  );
  return ["MCP conformance, required scenarios", ...lines, "\nNot required", ...apart, ...reasons].join("\n");
}

const plain = ({ scored, unscored, ...set }: ConformanceSet): object => ({
  ...set,
  required: scored.length,
  passed: scored.length - failures(scored).length,
  failed: failures(scored).map(({ scenario }) => scenario),
  unscored: sortedByOutcome(unscored),
});

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const sets = await withFixtures(async (fixtures) => [
  ...(await serverSets("fixture", fixtures)),
  ...(await withGatehouse(fixtures, (endpoints) => serverSets("gatehouse", endpoints))),
]);
sets.push(...(await clientSets()), ...(await authorizationSets()));
const ok = sets.every((set) => failures(set.scored).length === 0);
if (values.json) {
  process.stdout.write(`${JSON.stringify({ sets: sets.map(plain) })}\n`);
  if (!ok) process.stderr.write(`${report(sets)}\n`);
} else {
  process.stdout.write(`${report(sets)}\n`);
}
process.exitCode = ok ? 0 : 1;
