/** What every abuse test asserts, written once: the answer, silence upstream, one record, no change and no secret. */
import { env } from "cloudflare:workers";
import { expect } from "vitest";
import type { AuditEvent } from "../../../src/audit/index.ts";
import {
  createHarness,
  modernUpstream,
  setUp,
  setupSecret,
  type Harness,
  type HarnessOptions,
  type Tenant,
} from "../gateway/support.ts";
import { limits } from "../../../src/limits.ts";
import { VirtualClock as ManualClock } from "../gateway/virtual-clock.ts";

/** Time stands still until a test moves it. */
export class VirtualClock extends ManualClock {
  #jumped_ms = 0;

  constructor() {
    super(Date.now());
  }

  override now(): number {
    return super.now() + this.#jumped_ms;
  }

  override sleep(duration_ms: number, signal?: AbortSignal): Promise<void> {
    // The window of unknown callers ends at once, with the one failure in it.
    const isWindow = signal === undefined && duration_ms === limits.unknownCallers_ms;
    return isWindow ? Promise.resolve() : super.sleep(duration_ms, signal);
  }

  /** The wall clock alone moves, in either direction; no wait is over for that. */
  jump(duration_ms: number): void {
    this.#jumped_ms += duration_ms;
  }
}

export interface World {
  readonly clock: VirtualClock;
  readonly harness: Harness;
  readonly tenant: Tenant;
}

export function virtualHarness(options: HarnessOptions = {}): { clock: VirtualClock; harness: Harness } {
  const clock = new VirtualClock();
  return { clock, harness: createHarness({ ...options, ports: { clock, ...options.ports } }) };
}

/** Tenant A, set up, with virtual time. */
export async function createWorld(options: HarnessOptions = {}): Promise<World> {
  const { clock, harness } = virtualHarness(options);
  return { clock, harness, tenant: await setUp(harness) };
}

/** Answers every call with the texts that it is given, and lists one tool. */
export const echoUpstream = (tool = "echo") =>
  modernUpstream(({ message }) =>
    message["method"] === "tools/list"
      ? { tools: [{ name: tool, inputSchema: { type: "object" } }], ttlMs: 0, cacheScope: "private" }
      : { content: [{ type: "text", text: `did ${tool}` }] },
  );

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export async function ask(harness: Harness, url: string, init?: RequestInit): Promise<Answered> {
  const response = await harness.fetch(url, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Everything that D1 holds, as text. */
export async function dumpDatabase(): Promise<string> {
  const tables = ["tenants", "servers", "clients", "tokens", "idempotency_keys"];
  const dumped = await env.DB.batch(tables.map((table) => env.DB.prepare(`SELECT * FROM ${table} ORDER BY rowid`)));
  return JSON.stringify(dumped.map(({ results }) => results));
}

export interface Expected {
  readonly status: number;
  /** `none`: no `WWW-Authenticate`. */
  readonly challenge: string | "none";
  /** Type and reason of the one event. `none` where nothing may be recorded: there is no tenant to record it for. */
  readonly event: readonly [AuditEvent["type"], reason: string] | "none";
}

const reasonOf = (event: AuditEvent): string | undefined => {
  if (event.type === "mcp.request") return event.decision.reason;
  return event.type === "mcp.response" ? event.outcome.reason : event.reason;
};

/** Sends the request and asserts all that holds for every refusal. */
export async function expectRefused(
  harness: Harness,
  url: string,
  init: RequestInit | undefined,
  expected: Expected,
): Promise<Answered> {
  const [calls, events, before] = [harness.seen.length, harness.events.length, await dumpDatabase()];
  const answered = await ask(harness, url, init);
  const recorded = harness.events.slice(events).map((event) => [event.type, reasonOf(event)]);
  expect({
    status: answered.status,
    challenge: answered.headers.get("www-authenticate") ?? "none",
    upstream: harness.seen.length - calls,
    events: recorded,
    changed: (await dumpDatabase()) !== before,
  }).toEqual({
    status: expected.status,
    challenge: expected.challenge,
    upstream: 0,
    events: expected.event === "none" ? [] : [[...expected.event]],
    changed: false,
  });
  expect(secretsIn(answeredText(answered), [setupSecret, ...presentedSecrets(init)])).toEqual([]);
  return answered;
}

export const answeredText = ({ status, headers, text }: Answered): string =>
  `${status}\n${[...headers].map(([name, value]) => `${name}: ${value}`).join("\n")}\n\n${text}`;

function presentedSecrets(init: RequestInit | undefined): string[] {
  const presented = new Headers(init?.headers).get("authorization")?.split(/[ ,]+/).at(-1) ?? "";
  return presented.length > 8 ? [presented] : [];
}

const encoder = new TextEncoder();

/** How a secret may hide in a text. */
export function disguises(secret: string): string[] {
  const bytes = encoder.encode(secret);
  const base64 = bytes.toBase64();
  return [
    secret,
    base64.replace(/=+$/, ""),
    base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, ""),
    bytes.toHex(),
    bytes.toHex().toUpperCase(),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    [...secret].reverse().join(""),
  ];
}

/** The secrets that stand in the text, in whatever disguise. */
export function secretsIn(text: string, secrets: readonly string[]): string[] {
  return secrets.filter((secret) => disguises(secret).some((disguise) => text.includes(disguise)));
}

export const challengeOf = (origin: string, path: string, error?: "invalid_token"): string =>
  `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource${path}", scope="mcp"` +
  (error === undefined ? "" : `, error="${error}"`);

/** A binding of which every use is told, and fails where that throws or returns something in the place of the answer. */
export function watched<T extends object>(binding: T, use: (method: string) => unknown): T {
  return new Proxy(binding, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== "function") return member;
      return (...parameters: unknown[]): unknown => use(String(property)) ?? Reflect.apply(member, target, parameters);
    },
  });
}

/** What D1 does instead of answering: nothing, fail before the statement runs, fail after it ran, never answer. */
export type D1Fault = "none" | "before" | "after" | "hang";

export interface FaultyDatabase {
  readonly DB: D1Database;
  fault: D1Fault;
  /** The message of the platform's error; it quotes values, as D1's do. */
  message: string;
  /** Statements and batches that were sent. */
  asked_count: number;
}

export function faultyDatabase(): FaultyDatabase {
  const run = async (execute: () => Promise<unknown>): Promise<unknown> => {
    state.asked_count += 1;
    const failed = new Error(state.message);
    if (state.fault === "hang") return new Promise(() => undefined);
    if (state.fault === "before") throw failed;
    const result = await execute();
    if (state.fault === "after") throw failed;
    return result;
  };
  const DB = new Proxy(env.DB, {
    get(database, property) {
      if (property === "batch") return (all: D1PreparedStatement[]) => run(() => database.batch(all));
      if (property === "prepare") return (sql: string) => faultyStatement(database.prepare(sql), run);
      const member: unknown = Reflect.get(database, property);
      return typeof member === "function" ? (member.bind(database) as unknown) : member;
    },
  });
  const state: FaultyDatabase = { DB, fault: "none", message: "D1_ERROR: Network connection lost.", asked_count: 0 };
  return state;
}

type Run = (execute: () => Promise<unknown>) => Promise<unknown>;

/** The same object, since D1 takes no other into a batch. */
function faultyStatement(statement: D1PreparedStatement, run: Run): D1PreparedStatement {
  const bind = statement.bind.bind(statement);
  const replaced: Record<string, unknown> = { bind: (...values: unknown[]) => faultyStatement(bind(...values), run) };
  for (const name of ["all", "run", "raw", "first"] as const) {
    const member = statement[name].bind(statement) as (...parameters: unknown[]) => Promise<unknown>;
    replaced[name] = (...parameters: unknown[]) => run(() => member(...parameters));
  }
  return Object.assign(statement, replaced);
}
