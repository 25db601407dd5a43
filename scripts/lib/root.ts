/** Where things are, independent of the directory that a command is called from. */
import { fileURLToPath } from "node:url";
import { join } from "node:path";

export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/[/\\]$/, "");

/** A path below the root of the project. */
export const at = (...parts: string[]): string => join(root, ...parts);

/** The program of a development dependency. */
export const bin = (name: string): string => at("node_modules", ".bin", name);
