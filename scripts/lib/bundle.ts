/** The Worker as it is deployed: bundled and minified by wrangler, kept under `dist/` by the hash of what went in. */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { run } from "./child.ts";
import { at, bin } from "./root.ts";

export interface Bundle {
  readonly script: string;
  readonly size_bytes: number;
}

/** Other bundles are kept this long: another process may be about to start from one. */
const keep_ms = 60 * 60 * 1000;

function files(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function inputHash(): string {
  const hash = createHash("sha256");
  for (const file of [...files(at("src")), at("wrangler.toml"), at("package-lock.json")]) {
    hash.update(file).update("\0").update(readFileSync(file)).update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

function removeOld(current: string): void {
  for (const name of readdirSync(at("dist"))) {
    const path = at("dist", name);
    if (name === current || !/^(?:worker|building|migrations)-/.test(name)) continue;
    if (Date.now() - statSync(path).mtimeMs > keep_ms) rmSync(path, { recursive: true, force: true });
  }
}

/**
 * Bundles the Worker unless the same sources were bundled before.
 * @throws with wrangler's own words when the bundle cannot be made
 */
export async function bundleWorker(): Promise<Bundle> {
  const name = `worker-${inputHash()}`;
  const directory = at("dist", name);
  const script = join(directory, "index.js");
  mkdirSync(at("dist"), { recursive: true });
  if (!exists(script)) {
    // Into a directory of its own first: two processes may bundle at once, and a half-written bundle must not be run.
    const building = at("dist", `building-${process.pid}-${name}`);
    const done = await run(bin("wrangler"), ["deploy", "--dry-run", "--minify", "--outdir", building]);
    if (done.code !== 0) {
      rmSync(building, { recursive: true, force: true });
      throw new Error(`The Worker could not be bundled:\n${done.stdout}${done.stderr}`);
    }
    if (exists(script)) rmSync(building, { recursive: true, force: true });
    else renameSync(building, directory);
    removeOld(name);
  }
  return { script, size_bytes: statSync(script).size };
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
