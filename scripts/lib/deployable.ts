/** What must hold of the Worker as it is deployed, beyond its own tests. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { unstable_readConfig } from "wrangler";
import { bundleWorker } from "./bundle.ts";
import { at } from "./root.ts";

/** Far under the platform's limit: start-up time grows with it. */
const bundle_bytes_max = 1.5 * 1024 * 1024;

/** Text that must not stand in `src/`, with the reason. */
const banned: readonly (readonly [RegExp, string])[] = [
  [/passThroughOnException/, "an exception would hand the request to whatever stands behind the Worker"],
  [
    /import\s+(?:\{[^}]*\bz\b[^}]*\}|z)\s+from\s+"zod"/,
    'write `import * as z from "zod"`: this form brings every locale',
  ],
];

/** What is judged here of wrangler's own reading of the file; its type has `any` where these stand. */
const configSchema = z.object({
  workers_dev: z.boolean().optional(),
  preview_urls: z.boolean().optional(),
  vars: z.object({ GATEHOUSE_MODE: z.string().optional() }),
  queues: z.object({
    consumers: z.array(z.object({ queue: z.string(), dead_letter_queue: z.string().optional() })).default([]),
  }),
});

function configurationProblems(): string[] {
  const config = configSchema.parse(unstable_readConfig({ config: at("wrangler.toml") }, { hideWarnings: true }));
  const { consumers } = config.queues;
  const named = new Set(consumers.map((one) => one.queue));
  const deadLetters = consumers.flatMap((one) => one.dead_letter_queue ?? []);
  return [
    config.workers_dev === false ? "" : "wrangler.toml: workers_dev must be false, or the tenant check is bypassed",
    config.preview_urls === false ? "" : "wrangler.toml: preview_urls must be false, or the tenant check is bypassed",
    deadLetters.length > 0 ? "" : "wrangler.toml: the audit queue needs a dead_letter_queue",
    ...deadLetters.map((queue) => (named.has(queue) ? "" : `wrangler.toml: nobody consumes ${queue}`)),
    (config.vars.GATEHOUSE_MODE ?? "enterprise") === "enterprise"
      ? ""
      : "wrangler.toml: a deployment must not be in development mode",
  ].filter((problem) => problem !== "");
}

function sourceProblems(): string[] {
  return readdirSync(at("src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .flatMap((entry) => {
      const text = readFileSync(join(entry.parentPath, entry.name), "utf8");
      return banned.flatMap(([pattern, reason]) => (pattern.test(text) ? [`${entry.name}: ${reason}`] : []));
    });
}

/** Bundles the Worker as `wrangler deploy` does, without sending it anywhere. */
export async function checkDeployable(): Promise<{ note: string; problems: readonly string[] }> {
  const { size_bytes } = await bundleWorker();
  const note = `${Math.round(size_bytes / 1024)} KiB of at most ${bundle_bytes_max / 1024} KiB`;
  const tooLarge = size_bytes > bundle_bytes_max ? [`The bundle is too large: ${note}`] : [];
  return { note, problems: [...configurationProblems(), ...sourceProblems(), ...tooLarge] };
}
