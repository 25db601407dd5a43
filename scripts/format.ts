/** `npm run format`: formats everything; with file names, only those. */
import { run } from "./lib/child.ts";
import { bin } from "./lib/root.ts";

process.exitCode = (await run(bin("oxfmt"), process.argv.slice(2), { output: "show" })).code;
