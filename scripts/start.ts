/**
 * `npm start`: Gatehouse on this machine and for this machine only, with two demo servers behind it. Development mode, or with
 * `-- --enterprise` enterprise mode with an identity provider and two sample people.
 */
import { mkdirSync } from "node:fs";
import { startDevelopment } from "./lib/development.ts";
import { startEnterprise } from "./lib/enterprise.ts";
import { isFree } from "./lib/network.ts";
import { at } from "./lib/root.ts";
import { Running } from "./lib/running.ts";

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

function parseMode(args: readonly string[]): "development" | "enterprise" {
  const [first, ...rest] = args;
  if (first === undefined) return "development";
  if (first === "--enterprise" && rest.length === 0) return "enterprise";
  fail(
    `Unknown argument ${rest[0] ?? first}. \`npm start\` takes --enterprise or nothing; PORT=… chooses the port.`,
    2,
  );
}

const running = new Running();

async function main(): Promise<void> {
  const mode = parseMode(process.argv.slice(2));
  const port = parsePort(process.env["PORT"]);
  const again = mode === "enterprise" ? "npm start -- --enterprise" : "npm start";
  if (!(await isFree(port))) fail(`Port ${port} is taken. Choose another one: PORT=${port + 10} ${again}`, 1);
  // Handlers first: a Ctrl-C during the start must not leave a server behind.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void running.stopAll(0));

  // By port: two instances at once must not share the files of their databases. By mode: development asks nobody who they are,
  // so it must not have what somebody stored behind a sign-in.
  const state = mode === "enterprise" ? at(".gatehouse", String(port), "enterprise") : at(".gatehouse", String(port));
  mkdirSync(state, { recursive: true, mode: 0o700 });
  process.stdout.write(`Starting Gatehouse in ${mode} mode …\n`);
  const start = mode === "enterprise" ? startEnterprise : startDevelopment;
  process.stdout.write(await start(running, port, state));
}

try {
  await main();
} catch (error) {
  if (!running.stopping) process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  await running.stopAll(1);
}
