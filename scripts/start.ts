/**
 * `npm start`: Gatehouse in development mode with two demo upstreams behind it, on this machine and for this machine only.
 */
import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createApi, putServer } from "./lib/admin-api.ts";
import type { Part } from "./lib/child.ts";
import { localKey } from "./lib/keys.ts";
import { isFree } from "./lib/network.ts";
import { at } from "./lib/root.ts";
import { startRuntime, type Runtime } from "./lib/runtime.ts";
import { startDemo, startEverything } from "./lib/upstreams.ts";
import { welcome } from "./lib/welcome.ts";

/** The longest that a batch of the audit Queue waits (wrangler.toml), and as long again to be stored. */
const queueDrain_ms = 2_000;
const tenants = "default=localhost acme=acme.localhost";

function fail(text: string, code: number): never {
  process.stderr.write(`${text}\n`);
  process.exit(code);
}

function parsePort(value: string | undefined): number {
  if (value === undefined || value === "") return 8911;
  const port = Number(value);
  if (!/^\d+$/.test(value) || port < 1 || port > 65_535) fail(`PORT must be a number from 1 to 65535.`, 2);
  return port;
}

function checkArguments(args: readonly string[]): void {
  const [first] = args;
  if (first === "--enterprise") {
    fail(
      "`npm start -- --enterprise` does not exist yet: it will come with the sign-in pages.\n" +
        "`npm start` runs development mode. The README says how an enterprise deployment is set up.",
      2,
    );
  }
  if (first !== undefined) fail(`Unknown argument ${first}. \`npm start\` takes none; PORT=… chooses the port.`, 2);
}

/** What runs, in the order in which it is stopped. */
const running: { name: string; stop: () => Promise<void> }[] = [];
let stopping = false;

async function stopAll(code: number): Promise<void> {
  if (stopping) return;
  stopping = true;
  for (const { name, stop } of running.toReversed()) {
    await stop().catch((error: unknown) => process.stderr.write(`Stopping ${name}: ${String(error)}\n`));
  }
  process.exit(code);
}

/** A part that ends by itself takes the rest with it: half a gateway would only confuse. */
function watch(part: Part): void {
  void part.ended.then(async (code) => {
    if (stopping) return;
    process.stderr.write(`The server ${part.name} ended (exit ${code ?? "by signal"}):\n${part.tail()}\n`);
    await stopAll(1);
  });
}

async function startUpstreams(): Promise<{ everything: URL; demo: URL }> {
  const started = await Promise.allSettled([startEverything(), startDemo()]);
  for (const result of started) {
    if (result.status === "fulfilled") running.push({ name: result.value.part.name, stop: result.value.stop });
  }
  const [everything, demo] = started;
  if (everything.status === "rejected") throw everything.reason;
  if (demo.status === "rejected") throw demo.reason;
  watch(everything.value.part);
  watch(demo.value.part);
  return { everything: everything.value.url, demo: demo.value.url };
}

async function startGateway(port: number, state: string): Promise<Runtime> {
  const runtime = await startRuntime({
    port,
    persist: state,
    vars: {
      GATEHOUSE_MODE: "development",
      GATEHOUSE_TENANTS: tenants,
      GATEHOUSE_KEYS: localKey(at(".gatehouse", "keys")),
      GATEHOUSE_EGRESS_ORIGINS: process.env["GATEHOUSE_EGRESS_ORIGINS"],
    },
  });
  running.push({
    name: "gatehouse",
    async stop() {
      // The local Queue lives in memory: what was recorded a moment ago is on its way to the Ledger, which is on disk.
      await sleep(queueDrain_ms);
      await runtime.dispose();
    },
  });
  return runtime;
}

async function main(): Promise<void> {
  checkArguments(process.argv.slice(2));
  const port = parsePort(process.env["PORT"]);
  if (!(await isFree(port))) fail(`Port ${port} is taken. Choose another one: PORT=${port + 1} npm start`, 1);
  // Handlers first: a Ctrl-C during the start must not leave a server behind.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void stopAll(0));

  // By port: two instances at once must not share the files of their databases.
  const state = at(".gatehouse", String(port));
  mkdirSync(state, { recursive: true });
  process.stdout.write("Starting Gatehouse in development mode …\n");
  const [gateway, upstreams] = await Promise.all([startGateway(port, state), startUpstreams()]);
  const api = createApi(gateway.url);
  await putServer(api, {
    slug: "everything",
    name: "Everything (official test server)",
    url: upstreams.everything.href,
  });
  await putServer(api, { slug: "demo", name: "Demo", url: upstreams.demo.href });
  process.stdout.write(welcome(gateway.url, ["demo", "everything"], `.gatehouse/${port}/`));
}

try {
  await main();
} catch (error) {
  if (!stopping) process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  await stopAll(1);
}
