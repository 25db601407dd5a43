/**
 * The room rule: who may import whom under `src/`. A room is entered through its `index.ts` only; the table is the one of the
 * architecture page. Run by `npm run check`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { at } from "./lib/root.ts";

/** Files at the top that every room may use. They may use each other, and nothing below. */
const open = new Set([
  "body.ts",
  "bounded-map.ts",
  "connection-limits.ts",
  "env.ts",
  "errors.ts",
  "limits.ts",
  "people-limits.ts",
  "platform.ts",
  "ports.ts",
  "sha256.ts",
  "units.ts",
]);

/** Files at the top that may use every room. */
const wiring = new Set(["app.ts", "background.ts", "index.ts", "site.ts", "system-ports.ts"]);

/** Durable Object classes are entry points as well: the platform makes them, so they fetch their own ports. */
const entryPoints = new Set([
  "audit/ledger.ts",
  "audit/outbox.ts",
  "oauth/grants/grant-object.ts",
  "session/session-object.ts",
  "tenant/tenant-object.ts",
  "trust/documents-object.ts",
  "vault/connections/connection-object.ts",
]);

/** Generated from the room that serves it. */
const generated = new Map([["admin/api.ts", "../docs/openapi.json"]]);

/** What each room may use besides the open files and itself. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  db: [],
  telemetry: [],
  egress: ["telemetry"],
  protocol: [],
  policy: [],
  registry: ["db", "policy"],
  vault: ["db", "egress"],
  tenant: ["db", "policy", "registry", "telemetry"],
  audit: ["vault", "egress", "telemetry"],
  admission: ["tenant", "oauth", "trust", "registry", "db", "audit"],
  trust: ["db", "egress"],
  login: ["trust", "tenant", "db", "vault", "egress", "audit"],
  oauth: ["login", "trust", "tenant", "registry", "policy", "db", "vault", "egress", "audit"],
  connections: ["oauth", "login", "trust", "tenant", "registry", "policy", "db", "vault", "egress", "audit"],
  outbound: ["connections", "oauth", "login", "trust", "tenant", "registry", "db", "vault", "egress"],
  session: ["protocol", "tenant", "vault"],
  upstream: ["session", "outbound", "connections", "protocol", "registry", "egress", "tenant", "vault"],
  gateway: [
    "login",
    "upstream",
    "session",
    "protocol",
    "policy",
    "outbound",
    "connections",
    "registry",
    "audit",
    "admission",
    "tenant",
    "egress",
    "vault",
    "telemetry",
  ],
  admin: [
    "admission",
    "audit",
    "connections",
    "db",
    "egress",
    "login",
    "oauth",
    "policy",
    "protocol",
    "registry",
    "telemetry",
    "tenant",
    "vault",
  ],
  portal: ["admin", "audit", "connections", "db", "login", "oauth", "policy", "registry", "tenant", "vault"],
  cli: ["admin"],
};

const imported = /(?:\bfrom\s*|\bimport\s*\(?\s*)["'](\.{1,2}\/[^"']+)["']/g;

/** A sentence for an import that breaks the rule. */
function judge(file: string, target: string): string | undefined {
  const [fromRoom = "", ...fromRest] = file.split("/");
  const [toRoom = "", ...toRest] = target.split("/");
  if (fromRest.length === 0) {
    if (wiring.has(file))
      return toRest.length > 0 && toRest.join("/") !== "index.ts" ? "enter rooms through index.ts" : undefined;
    if (!open.has(file)) return "a file at the top must be listed in scripts/check-rooms.ts";
    return toRest.length > 0 ? "a file that is open to all rooms must not use one" : undefined;
  }
  const mayUse = rooms[fromRoom];
  if (mayUse === undefined) return `the room ${fromRoom} must be listed in scripts/check-rooms.ts`;
  if (target === "system-ports.ts" && entryPoints.has(file)) return undefined;
  if (toRest.length === 0) return open.has(target) ? undefined : `${target} is not open to rooms`;
  if (toRoom === fromRoom) return undefined;
  if (!mayUse.includes(toRoom)) return `the room ${fromRoom} may not use ${toRoom}`;
  return toRest.join("/") === "index.ts" ? undefined : "enter rooms through index.ts";
}

function imports(file: string): string[] {
  const source = readFileSync(at("src", file), "utf8");
  return [...source.matchAll(imported)].map((match) => match[1] ?? "");
}

const files = readdirSync(at("src"), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
  .map((entry) => relative(at("src"), join(entry.parentPath, entry.name)).split(sep).join("/"));

const broken = files.flatMap((file) =>
  imports(file).flatMap((specifier) => {
    const target = join(dirname(file), specifier).split(sep).join("/");
    if (generated.get(file) === target) return [];
    if (target.startsWith("..")) return [`src/${file} imports ${specifier}: outside of src`];
    const reason = judge(file, target);
    return reason === undefined ? [] : [`src/${file} imports ${specifier}: ${reason}`];
  }),
);
for (const line of broken) process.stderr.write(`${line}\n`);
process.exitCode = broken.length === 0 ? 0 : 1;
