/** The files that are made from others: how each is made, and whether it is up to date. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { relative, join } from "node:path";
import { run, type Finished } from "./child.ts";
import { at, bin, root } from "./root.ts";

export interface Generated {
  readonly name: string;
  readonly write: () => Promise<void>;
  /** @returns what is out of date, or undefined */
  readonly drift: () => Promise<string | undefined>;
}

const outOfDate = (name: string): string => `${name} is out of date: run \`npm run generate\`.`;

function succeeded(what: string, done: Finished): string {
  if (done.code !== 0) throw new Error(`${what} failed:\n${done.stdout}${done.stderr}`);
  return done.stdout;
}

async function schemaText(): Promise<string> {
  const sql = succeeded(
    "drizzle-kit export",
    await run(bin("drizzle-kit"), ["export", "--config", "drizzle.config.ts"]),
  );
  return `-- The whole schema as one file, generated from src/db/schema.ts. A database is built from migrations/.\n\n${sql.trim()}\n`;
}

const schema: Generated = {
  name: "schema.sql",
  write: async () => writeFileSync(at("schema.sql"), await schemaText()),
  drift: async () => {
    const now = existsSync(at("schema.sql")) ? readFileSync(at("schema.sql"), "utf8") : "";
    return now === (await schemaText()) ? undefined : outOfDate("schema.sql");
  },
};

const migrate = (out: string): Promise<Finished> =>
  run(bin("drizzle-kit"), ["generate", "--dialect", "sqlite", "--schema", "./src/db/schema.ts", "--out", out]);

const migrations: Generated = {
  name: "migrations",
  write: async () => void succeeded("drizzle-kit generate", await migrate("./migrations")),
  drift: async () => {
    // In the project, since drizzle-kit takes relative paths only.
    const copy = mkdtempSync(join(root, "dist", "migrations-"));
    try {
      cpSync(at("migrations"), copy, { recursive: true });
      succeeded("drizzle-kit generate", await migrate(`./${relative(root, copy)}`));
      const added = readdirSync(copy).filter((name) => !existsSync(at("migrations", name)));
      return added.length === 0 ? undefined : outOfDate("migrations/");
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  },
};

const types: Generated = {
  name: "worker-configuration.d.ts",
  write: async () =>
    void succeeded(
      "wrangler types",
      await run(bin("wrangler"), ["types", "--include-runtime=false", "--strict-vars=false"]),
    ),
  drift: async () => {
    const done = await run(bin("wrangler"), ["types", "--include-runtime=false", "--strict-vars=false", "--check"]);
    return done.code === 0 ? undefined : outOfDate("worker-configuration.d.ts");
  },
};

const openapi: Generated = {
  name: "docs/openapi.json",
  write: async () => void succeeded("generate-openapi", await run(bin("node"), [at("scripts", "generate-openapi.ts")])),
  drift: async () => {
    const done = await run(bin("node"), [at("scripts", "generate-openapi.ts"), "--check"]);
    return done.code === 0 ? undefined : `${done.stdout}${done.stderr}`;
  },
};

export const generated: readonly Generated[] = [schema, migrations, types, openapi];
