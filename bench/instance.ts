/** Everything that is measured in one Miniflare instance: the built Gatehouse and the floors, each on a socket of its own. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { V4WorkerOptions } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { createApi, issueClientToken, registerServer, setUp } from "../scripts/lib/admin-api.ts";
import { bundleWorker } from "../scripts/lib/bundle.ts";
import { newKey, newSecret } from "../scripts/lib/keys.ts";
import { at } from "../scripts/lib/root.ts";
import { startRuntime, workerName, type Runtime } from "../scripts/lib/runtime.ts";

/** A Worker of the instance by what it is measured as. */
export type Place = "floor" | "floor+audit" | "governed" | "governed+ledger";

export interface Instance {
  readonly runtime: Runtime;
  /** Port of each Worker's own socket. */
  readonly ports: Readonly<Record<Place, number>>;
  /** Machine tokens by the number of servers that their client may use. */
  readonly tokens: ReadonlyMap<number, string>;
  /** The slug of the server that the calls go to. */
  readonly slug: string;
}

type Vars = Readonly<Record<string, string>>;

/** Of a Worker that is neither Gatehouse nor deployed with it. */
const auditQueue = "bench-audit";

function configured(): Omit<V4WorkerOptions, "modulesRules"> {
  const { modulesRules: _rules, ...options } = unstable_getMiniflareWorkerOptions(at("wrangler.toml")).workerOptions;
  return options;
}

const ownSocket = { stripCfConnectingIp: false, unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] };

const source = (name: string): string => readFileSync(new URL(`workers/${name}`, import.meta.url), "utf8");

function small(name: string, file: string, more: Partial<V4WorkerOptions>): V4WorkerOptions {
  const { compatibilityDate, compatibilityFlags } = configured();
  return {
    name,
    compatibilityDate,
    compatibilityFlags,
    modules: [{ type: "ESModule", path: file, contents: source(file) }],
    ...ownSocket,
    ...more,
  } as V4WorkerOptions;
}

/**
 * The built Worker a second time, on the same D1 and KV, so that set-up counts for both, but with Durable Objects of its own
 * and with its audit events going to a Queue whose consumer does nothing.
 * @param entry replaces the built module as the entry; it can import that as `./index.js`
 */
export async function sibling(name: string, vars: Vars, entry?: string): Promise<V4WorkerOptions> {
  const { script } = await bundleWorker();
  const built = { type: "ESModule", path: script } as const;
  const root = dirname(script);
  return {
    ...configured(),
    name,
    rootPath: at(),
    modules:
      entry === undefined ? [built] : [{ type: "ESModule", path: `${root}/${entry}`, contents: source(entry) }, built],
    modulesRoot: root,
    bindings: { ...vars },
    cronTriggers: [],
    queueProducers: { AUDIT: { queueName: auditQueue } },
    queueConsumers: {},
    ...ownSocket,
  } as V4WorkerOptions;
}

/** A Worker that takes the events of all but the deployed one. */
export const sink = (): V4WorkerOptions =>
  small("bench-sink", "sink.js", { queueConsumers: { [auditQueue]: { maxBatchSize: 100, maxBatchTimeout: 1 } } });

export interface Enterprise {
  readonly vars: Vars;
  /** Sets the tenant up with `servers` upstreams at this URL, whose credential is `token`. */
  prepare(url: URL, upstream: URL, token: string, servers: number): Promise<ReturnType<typeof createApi>>;
}

/** A tenant in enterprise mode: everything that the gateway can check is on, but strict audit. */
export function enterprise(upstream: URL): Enterprise {
  const secret = newSecret();
  return {
    vars: {
      GATEHOUSE_MODE: "enterprise",
      GATEHOUSE_TENANTS: "default=localhost",
      GATEHOUSE_KEYS: newKey("bench"),
      GATEHOUSE_SETUP_SECRET: secret,
      GATEHOUSE_EGRESS_ORIGINS: upstream.origin,
    },
    async prepare(url, target, token, servers) {
      const api = createApi(url, await setUp(url, secret));
      for (let at = 0; at < servers; at += 1) {
        await registerServer(api, {
          slug: slugOf(at),
          url: target.href,
          authentication: { type: "bearer" },
          credential: { type: "bearer", token },
        });
      }
      return api;
    },
  };
}

const slugOf = (at: number): string => (at === 0 ? "bench" : `bench-${at}`);

/** @param sizes how many servers the clients may use: one client for each number */
export async function startInstance(upstream: URL, token: string, sizes: readonly number[]): Promise<Instance> {
  const { vars, prepare } = enterprise(upstream);
  const bindings = { UPSTREAM: upstream.href };
  const runtime = await startRuntime({
    vars,
    workers: [
      await sibling("bench-governed", vars),
      small("bench-floor", "floor.js", { bindings }),
      small("bench-floor-audit", "floor-audit.js", { bindings, queueProducers: { AUDIT: { queueName: auditQueue } } }),
      sink(),
    ],
  });
  try {
    const api = await prepare(runtime.url, upstream, token, Math.max(...sizes));
    const tokens = new Map<number, string>();
    for (const size of sizes) {
      const servers = Array.from({ length: size }, (_, at) => slugOf(at));
      tokens.set(size, (await issueClientToken(api, servers, `bench-${size}`)).token);
    }
    const port = async (name: string): Promise<number> => Number((await runtime.mf.unsafeGetDirectURL(name)).port);
    return {
      runtime,
      ports: {
        floor: await port("bench-floor"),
        "floor+audit": await port("bench-floor-audit"),
        governed: await port("bench-governed"),
        "governed+ledger": await port(workerName),
      },
      tokens,
      slug: slugOf(0),
    };
  } catch (error) {
    await runtime.dispose();
    throw error;
  }
}
