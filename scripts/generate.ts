/** `npm run generate`: makes every generated file anew. */
import { mkdirSync } from "node:fs";
import { generated } from "./lib/generated.ts";
import { at } from "./lib/root.ts";

mkdirSync(at("dist"), { recursive: true });
for (const { name, write } of generated) {
  await write();
  process.stdout.write(`${name}\n`);
}
