/** An invocation of the Worker as the session functions see it, with a tenant of its own and a clock that the test moves. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { parseConfiguration } from "../../../src/env.ts";
import type { Session, SessionContext, UpstreamSession } from "../../../src/session/index.ts";
import { shardOf } from "../../../src/session/shard.ts";
import type { Clock, Result } from "../../../src/ports.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { createVault, type Vault } from "../../../src/vault/index.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";

/** Far ahead: an alarm in the past would fire at once. */
export const start = Date.UTC(2090, 10, 21, 12);

export interface Invocation {
  readonly context: SessionContext & { readonly vault: Vault };
  readonly clock: VirtualClock;
  /** How often an object was asked for something. */
  asked: number;
  /** What runs behind the answer. */
  settle(): Promise<void>;
}

/** @param bindings in place of the real ones, for objects that do not answer */
export async function invocation(options: { tenant?: string; bindings?: Partial<Env> } = {}): Promise<Invocation> {
  const clock = new VirtualClock(start);
  const ports = { ...systemPorts, clock };
  const configuration = value(parseConfiguration(env));
  const tenant = options.tenant ?? `t-${crypto.randomUUID().slice(0, 8)}`;
  const behind: Promise<unknown>[] = [];
  const SESSION = new Proxy(env.SESSION, {
    get(namespace, property) {
      if (property !== "getByName") return Reflect.get(namespace, property) as unknown;
      return (name: string) => {
        made.asked += 1;
        return namespace.getByName(name);
      };
    },
  });
  const made: Invocation = {
    clock,
    asked: 0,
    context: {
      platform: {
        configuration,
        ports,
        bindings: { ...env, SESSION, ...options.bindings },
        waitUntil: (promise) => void behind.push(promise),
        log: () => undefined,
      },
      tenant: { id: tenant, origin: `https://${tenant}.gw.test` },
      vault: value(await createVault(configuration.keys, ports)),
    },
    settle: async () => void (await Promise.all(behind.splice(0))),
  };
  return made;
}

/**
 * The module once more with a memory of its own, as another isolate has it. Loaded here, before there are objects: the test
 * pool restarts them when the modules change.
 */
vi.resetModules();
export const otherIsolate = await import("../../../src/session/index.ts");

export const objectOf = ({ tenant }: SessionContext, owner: string): DurableObjectStub<Session> =>
  env.SESSION.getByName(shardOf(tenant.id, owner));

/** Gives the running object the test's clock; an eviction takes it away again. */
export const setClock = (object: DurableObjectStub<Session>, clock: Clock): Promise<void> =>
  runInDurableObject(object, (instance) => void (instance.clock = clock));

export function value<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(`expected a value, got ${JSON.stringify(result.error)}`);
  return result.value;
}

/** `ok`, or the code and reason of the failure. */
export const codeOf = (result: Result<unknown, { readonly code: string; readonly reason?: string }>): string =>
  result.ok ? "ok" : `${result.error.code} ${result.error.reason ?? ""}`.trim();

/** Another owner in the same object. */
export function sibling({ tenant }: SessionContext, owner: string): string {
  for (let n = 0; ; n += 1)
    if (shardOf(tenant.id, `session:s${n}`) === shardOf(tenant.id, owner)) return `session:s${n}`;
}

export const upstream = (more: Partial<UpstreamSession> = {}): UpstreamSession => ({
  server_id: "s1",
  revision: 1,
  id: "u1",
  version: "2025-06-18",
  capabilities: { tools: { listChanged: true } },
  instructions: undefined,
  diverged: false,
  ...more,
});
