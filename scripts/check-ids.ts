/**
 * Keeps three things in step: the requirements (`docs/requirements.md`), the catalogue of security cases
 * (`docs/verification.md`) and the titles of the tests. A claim without a test fails, and so does a test whose id nobody knows.
 *
 *   node scripts/check-ids.ts           prints the counts, then the problems
 *   node scripts/check-ids.ts --list    prints the ids that claim a proof and have no test
 *   node scripts/check-ids.ts --write   fills in the names of the test files from the titles that it finds; format afterwards
 */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** `claimed`: must have a test. `part`: its test files, where it names some, must hold such a test. `open`: must have none. */
type Claim = "claimed" | "part" | "open";

interface Row {
  readonly id: string;
  readonly place: string;
  readonly kind: string;
  readonly claim: Claim;
  /** Test files that the row names, relative to `test/`. */
  readonly files: readonly string[];
}

const verification = "docs/verification.md";
const requirements = "docs/requirements.md";

const id = String.raw`(?:[A-Z]{2}-\d{2,3}|[FAUPSR]\d{1,2})(?![\w-])`;
const oneId = new RegExp(`^${id}$`);
/** A whole title that stands in the table of a title such as `%s`. */
const titleInTable = new RegExp(`^${id}: `);
const leadingIds = new RegExp(String.raw`^${id}(?:(?:\s*[,&/]\s*|\s+and\s+|\s+)${id})*`);
const testFile = /[\w./-]+\.test\.ts/g;

// --- the documents

const cellsOf = (line: string): string[] =>
  line.startsWith("|")
    ? line
        .split("|")
        .map((cell) => cell.trim())
        .slice(1, -1)
    : [];

/** Kinds of status, the longer match first. What matches none is reported. */
const kinds: readonly (readonly [RegExp, string, Claim])[] = [
  [/^proven: [\w./, -]+; waiting: \S/, "proven_in_part", "claimed"],
  [/^proven: [\w./, -]+$/, "proven", "claimed"],
  [/^waiting: \S/, "waiting", "open"],
  [/^n\/a: \S/, "not_applicable", "open"],
  [/^done$/, "done", "claimed"],
  [/^partly: \S/, "partly", "part"],
  [/^planned$/, "planned", "open"],
];

function readRows(root: string, document: string, problems: string[]): Row[] {
  const rows: Row[] = [];
  readFileSync(join(root, document), "utf8")
    .split("\n")
    .forEach((line, index) => {
      const [name, , status, proof] = cellsOf(line);
      if (name === undefined || status === undefined || !oneId.test(name)) return;
      const place = `${document}:${index + 1}`;
      const match = kinds.find(([pattern]) => pattern.test(status));
      if (match === undefined) {
        problems.push(`${place}: ${name} has a status that is not understood: ${status}`);
        return;
      }
      rows.push({ id: name, place, kind: match[1], claim: match[2], files: (proof ?? status).match(testFile) ?? [] });
    });
  return rows;
}

// --- the tests

interface Token {
  readonly kind: "word" | "text" | "mark";
  readonly value: string;
}

const blank = /(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/y;
const regularExpression = /\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const text = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/y;
const word = /[\w$]+/y;

function take(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}

/** @returns the index after the template literal that starts at `start`, expressions included */
function templateEnd(source: string, start: number): number {
  let at = start + 1;
  let braces = 0;
  while (at < source.length) {
    const char = source[at];
    if (char === "\\") at += 2;
    else if (braces === 0 && char === "`") return at + 1;
    else if (braces === 0 && char === "$" && source[at + 1] === "{") {
      braces = 1;
      at += 2;
    } else if (braces > 0 && char === "`") at = templateEnd(source, at);
    else if (braces > 0 && (char === '"' || char === "'")) at += take(text, source, at)?.length ?? 1;
    else {
      if (braces > 0 && char === "{") braces += 1;
      if (braces > 0 && char === "}") braces -= 1;
      at += 1;
    }
  }
  return at;
}

/** A slash starts a regular expression where no value can stand before it. */
const beforeValue = (last: Token | undefined): boolean =>
  last === undefined ||
  (last.kind === "mark" && !/[)\]}]/.test(last.value)) ||
  (last.kind === "word" && /^(?:return|typeof|case|of|in)$/.test(last.value));

/** As much of the language as it takes to find titles: comments and regular expressions are left out. */
function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const skipped =
      take(blank, source, at) ?? (beforeValue(tokens.at(-1)) ? take(regularExpression, source, at) : undefined);
    if (skipped !== undefined) {
      // Stands for a value, so that a division after it is not taken for the next regular expression.
      if (skipped.startsWith("/") && !/^\/[/*]/.test(skipped)) tokens.push({ kind: "word", value: "" });
      at += skipped.length;
      continue;
    }
    const quoted = source[at] === "`" ? source.slice(at, templateEnd(source, at)) : take(text, source, at);
    const value = quoted ?? take(word, source, at) ?? source.charAt(at);
    if (quoted !== undefined) tokens.push({ kind: "text", value: quoted.slice(1, -1) });
    else tokens.push({ kind: /^[\w$]/.test(value) ? "word" : "mark", value });
    at += value.length;
  }
  return tokens;
}

const isMark = (token: Token | undefined, value: string): boolean => token?.kind === "mark" && token.value === value;

/** @returns the index after the group that opens at `start`; `start` itself when none opens there */
function groupEnd(tokens: readonly Token[], start: number, open: string, close: string): number {
  if (!isMark(tokens[start], open)) return start;
  let depth = 0;
  for (let at = start; at < tokens.length; at += 1) {
    if (isMark(tokens[at], open)) depth += 1;
    // `=>` closes nothing.
    else if (isMark(tokens[at], close) && !isMark(tokens[at - 1], "=")) depth -= 1;
    if (depth === 0) return at + 1;
  }
  return tokens.length;
}

/** The title of the call after `it`, `test` or `describe`: past `.each<…>(…)` and the like; none for a skipped test. */
function titleAt(tokens: readonly Token[], start: number): string | undefined {
  let at = start;
  while (isMark(tokens[at], ".")) {
    const modifier = tokens[at + 1]?.value ?? "";
    if (modifier === "skip" || modifier === "todo") return undefined;
    at = groupEnd(tokens, at + 2, "<", ">");
    if (!/^(?:each|for|runIf|skipIf)$/.test(modifier)) continue;
    at = tokens[at]?.kind === "text" ? at + 1 : groupEnd(tokens, at, "(", ")");
  }
  const title = tokens[at + 1];
  return isMark(tokens[at], "(") && title?.kind === "text" ? title.value : undefined;
}

/** The ids that the titles of one test file start with; a title such as `%s: …` or `$id: …` takes those of its table. */
function idsIn(source: string): Set<string> {
  const tokens = tokensOf(source);
  const ids = new Set<string>();
  const add = (title: string): void =>
    leadingIds
      .exec(title)?.[0]
      .match(new RegExp(id, "g"))
      ?.forEach((name) => ids.add(name));
  tokens.forEach((token, at) => {
    if (token.kind !== "word" || !/^(?:it|test|describe)$/.test(token.value) || isMark(tokens[at - 1], ".")) return;
    const title = titleAt(tokens, at + 1);
    if (title === undefined) return;
    if (!/^(?:%[a-z]|\$)/.test(title)) return add(title);
    for (const { kind, value } of tokens) {
      if (kind === "text" && (oneId.test(value) || titleInTable.test(value))) add(value);
    }
  });
  return ids;
}

/** @returns for each id the test files that name it, relative to `test/`, in order */
function readTests(root: string): Map<string, string[]> {
  const tests = new Map<string, string[]>();
  const folder = join(root, "test");
  for (const file of globSync("**/*.test.ts", { cwd: folder }).sort()) {
    for (const name of idsIn(readFileSync(join(folder, file), "utf8")))
      tests.set(name, [...(tests.get(name) ?? []), file]);
  }
  return tests;
}

// --- the comparison

function problemsOf(row: Row, found: readonly string[] | undefined): string[] {
  const { id: name, place, kind, claim, files } = row;
  if (found === undefined) {
    const empty = claim === "claimed" || files.length > 0;
    return empty ? [`${place}: ${name} is marked ${kind}, but no test title starts with it`] : [];
  }
  if (claim === "open") return [`${place}: ${name} is marked ${kind}, but ${found.join(", ")} has a test for it`];
  return files.toSorted().join() === found.join()
    ? []
    : [`${place}: ${name} is tested in ${found.join(", ")}; --write puts that down, then format`];
}

function read(root: string): { rows: Row[]; tests: Map<string, string[]>; problems: string[] } {
  const problems: string[] = [];
  const rows = [requirements, verification].flatMap((document) => readRows(root, document, problems));
  return { rows, tests: readTests(root), problems };
}

/**
 * Compares the two documents with the titles of the tests.
 * @param root the folder of the project
 * @returns one sentence for each problem, and how many ids have which status
 */
export function checkIds(root: string): { problems: string[]; counts: Record<string, number> } {
  const { rows, tests, problems } = read(root);
  const seen = new Set<string>();
  const counts: Record<string, number> = {};
  for (const row of rows) {
    if (seen.has(row.id)) problems.push(`${row.place}: ${row.id} is listed twice`);
    seen.add(row.id);
    counts[row.kind] = (counts[row.kind] ?? 0) + 1;
    problems.push(...problemsOf(row, tests.get(row.id)));
  }
  for (const [name, files] of tests) {
    if (!seen.has(name))
      problems.push(`test/${files.join(", test/")}: a title names ${name}, which neither document lists`);
  }
  return { problems, counts };
}

/** Replaces the test files of each row that claims a proof by those in which the id was found. */
function writeFiles(root: string): void {
  const { rows, tests } = read(root);
  const claims = new Map(rows.filter((row) => row.claim !== "open").map((row) => [row.id, row.kind]));
  for (const document of [requirements, verification]) {
    const path = join(root, document);
    const lines = readFileSync(path, "utf8").split("\n");
    const written = lines.map((line) => {
      const cells = cellsOf(line);
      const found = tests.get(cells[0] ?? "")?.join(", ");
      if (found === undefined || !claims.has(cells[0] ?? "")) return line;
      if (document === requirements) cells[3] = found;
      else cells[2] = (cells[2] ?? "").replace(/^proven: [^;]+/, `proven: ${found}`);
      return `| ${cells.join(" | ")} |`;
    });
    writeFileSync(path, written.join("\n"));
  }
}

if (import.meta.main) {
  const root = resolve(import.meta.dirname, "..");
  if (process.argv.includes("--write")) writeFiles(root);
  if (process.argv.includes("--list")) {
    const { rows, tests } = read(root);
    for (const row of rows) if (row.claim === "claimed" && !tests.has(row.id)) console.log(row.id);
  } else {
    const { problems, counts } = checkIds(root);
    for (const [kind, count] of Object.entries(counts)) console.log(`${kind}: ${count}`);
    for (const problem of problems) console.error(problem);
    if (problems.length > 0) process.exitCode = 1;
  }
}
