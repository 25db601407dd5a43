/**
 * Writes docs/openapi.json from the table of routes of the admin API. `--check` fails when the file is out of date.
 *   node scripts/generate-openapi.ts [--check]
 */
import { readFile, writeFile } from "node:fs/promises";
import { registerHooks } from "node:module";

/** Rooms that hold Durable Objects import the platform's module. The description needs only its names to exist. */
const platform = "data:text/javascript,export class DurableObject {} export const env = {};";

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "cloudflare:workers" ? { url: platform, shortCircuit: true } : next(specifier, context),
});

interface Api {
  describeAdminApi(routes: readonly unknown[]): unknown;
}

// Imported at run time: these files are written for workerd and checked with its types.
const at = (path: string): string => new URL(`../src/admin/${path}`, import.meta.url).href;
const { describeAdminApi }: Api = await import(at("describe.ts"));
const { routes }: { routes: readonly unknown[] } = await import(at("routes.ts"));

const file = new URL("../docs/openapi.json", import.meta.url);
const text = `${JSON.stringify(describeAdminApi(routes), null, 1)}\n`;
if (process.argv.includes("--check")) {
  if ((await readFile(file, "utf8")) !== text) {
    console.error("docs/openapi.json is out of date: run `node scripts/generate-openapi.ts`.");
    process.exitCode = 1;
  }
} else {
  await writeFile(file, text);
}
