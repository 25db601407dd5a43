// Runs a task of the project: `node scripts/run.mjs <task> [arguments]`. Needs Node 20 and nothing else: it installs what is
// missing, then hands over to the Node of the project, which runs TypeScript as it is.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const modules = join(root, "node_modules");
const lock = join(root, "package-lock.json");
const stamp = join(modules, ".installed-lock");
const windows = process.platform === "win32";
const node = join(modules, ".bin", windows ? "node.cmd" : "node");

function fail(text) {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

const lockHash = () => createHash("sha256").update(readFileSync(lock)).digest("hex");

function installed() {
  const npmsOwn = join(modules, ".package-lock.json");
  if (!existsSync(npmsOwn) || !existsSync(node)) return false;
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lockHash()) return true;
  return statSync(npmsOwn).mtimeMs >= statSync(lock).mtimeMs;
}

function npm(args) {
  // Within `npm run`, npm says where it is; a bare `node scripts/run.mjs` looks in PATH.
  const inside = process.env.npm_execpath?.endsWith("npm-cli.js") ? process.env.npm_execpath : undefined;
  const [command, first] = inside === undefined ? ["npm", []] : [process.execPath, [inside]];
  // Standard output is the task's own: `-- --json` must stay parseable even when packages are installed first.
  return spawnSync(command, [...first, ...args], { cwd: root, stdio: ["inherit", 2, 2], shell: windows && !inside });
}

function install() {
  process.stderr.write("Installing the packages of package-lock.json (npm ci) …\n");
  const done = npm(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  if (done.error?.code === "ENOENT") fail("npm was not found. Install Node.js 20 or later with npm, then try again.");
  if (done.status !== 0) {
    fail(
      "npm ci failed; its own words are above. The packages come from the npm registry: check the network, a proxy " +
        "(`npm config get proxy`) and the registry (`npm config get registry`), then try again.",
    );
  }
}

/** These packages fetch or link their program in an install script, which newer versions of npm may refuse to run. */
const withPrograms = ["node", "esbuild", "workerd"];

function works(name) {
  const path = name === "node" ? node : join(modules, ".bin", windows ? `${name}.cmd` : name);
  return spawnSync(path, ["--version"], { stdio: "ignore", shell: windows }).status === 0;
}

function prepare() {
  if (installed()) return;
  install();
  if (!withPrograms.every(works)) npm(["rebuild", "--ignore-scripts=false", ...withPrograms]);
  const broken = withPrograms.filter((name) => !works(name));
  if (broken.length > 0) {
    fail(
      `Installed, but these programs do not run: ${broken.join(", ")}. Their install scripts may be blocked: ` +
        `run \`npm rebuild --ignore-scripts=false ${broken.join(" ")}\`, then try again.`,
    );
  }
  writeFileSync(stamp, lockHash());
}

const [task, ...args] = process.argv.slice(2);
if (task === undefined || !/^[a-z][a-z-]*$/.test(task) || !existsSync(join(root, "scripts", `${task}.ts`))) {
  process.stderr.write(`There is no task ${JSON.stringify(task ?? "")}. The tasks are the scripts of package.json.\n`);
  process.exit(2);
}
prepare();

const child = spawn(node, [join(root, "scripts", `${task}.ts`), ...args], {
  stdio: "inherit",
  shell: windows,
  env: { ...process.env, PATH: `${join(modules, ".bin")}${delimiter}${process.env.PATH ?? ""}` },
});
child.once("error", (error) => fail(`${node} could not be started: ${error.message}`));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
process.on("exit", () => child.kill());
// npm passes a signal to its shell only, which dies without telling us: the task must not outlive them.
if (process.env.npm_lifecycle_event !== undefined) {
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || child.kill("SIGTERM"), 500).unref();
}
child.once("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
