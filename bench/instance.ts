/** Everything that is measured in one Miniflare instance: the built Gatehouse and the floors, each on a socket of its own. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { V4WorkerOptions } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { createApi, issueClientToken, registerServer, setUp, type Api } from "../scripts/lib/admin-api.ts";
import { bundleWorker } from "../scripts/lib/bundle.ts";
import { newKey, newSecret } from "../scripts/lib/keys.ts";
import { at } from "../scripts/lib/root.ts";
import { accessToken, registerMachine } from "./access-token.ts";
import { startRuntime, workerName, type Runtime } from "../scripts/lib/runtime.ts";

/** A Worker of the instance by what it is measured as. The floors are there twice, since they know only one upstream. */
export type Place = "floor" | "floor+audit" | "floor legacy" | "floor+audit legacy" | "governed" | "governed+ledger";

/** Where the upstreams are, and the credential that they want. */
export interface Upstreams {
  readonly modern: URL;
  readonly legacy: URL;
  readonly delayed: URL;
  readonly token: string;
}

export interface Instance {
  readonly runtime: Runtime;
  /** Port of each Worker's own socket. */
  readonly ports: Readonly<Record<Place, number>>;
  /** Machine token of a client that may use both servers. */
  readonly token: string;
  /** `/mcp/{slugs.modern}` of `governed`. */
  readonly endpoint: URL;
  /** Access token of a client like that one, for that endpoint. */
  newAccessToken(): Promise<string>;
}

/** The slugs of the servers that calls go to. */
export const slugs = { modern: "bench", legacy: "bench-legacy" } as const;

type Vars = Readonly<Record<string, string>>;

/** Of a Worker that is neither Gatehouse nor deployed with it. */
const auditQueue = "bench-audit";
export const queueProducers = { AUDIT: { queueName: auditQueue } };

function configured(): Omit<V4WorkerOptions, "modulesRules"> {
  const { modulesRules: _rules, ...options } = unstable_getMiniflareWorkerOptions(at("wrangler.toml")).workerOptions;
  return options;
}

const ownSocket = { stripCfConnectingIp: false, unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] };

const source = (name: string): string => readFileSync(new URL(`workers/${name}`, import.meta.url), "utf8");

/** A Worker of a file that may import the makers of events. */
export function small(name: string, file: string, more: Partial<V4WorkerOptions> = {}): V4WorkerOptions {
  const { compatibilityDate, compatibilityFlags } = configured();
  return {
    name,
    compatibilityDate,
    compatibilityFlags,
    modules: [file, "audit-events.js"].map((path) => ({ type: "ESModule", path, contents: source(path) })),
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
    queueProducers,
    queueConsumers: {},
    ...ownSocket,
  } as V4WorkerOptions;
}

/** A Worker that takes the events of all but the deployed one. */
export const sink = (): V4WorkerOptions =>
  small("bench-sink", "sink.js", { queueConsumers: { [auditQueue]: { maxBatchSize: 100, maxBatchTimeout: 1 } } });

export interface Enterprise {
  readonly vars: Vars;
  /** Sets the tenant up. */
  prepare(url: URL): Promise<Api>;
}

/** A tenant in enterprise mode: everything that the gateway can check is on, but strict audit. */
export function enterprise({ modern }: Upstreams): Enterprise {
  const secret = newSecret();
  return {
    vars: {
      GATEHOUSE_MODE: "enterprise",
      GATEHOUSE_TENANTS: "default=localhost",
      GATEHOUSE_KEYS: newKey("bench"),
      GATEHOUSE_SETUP_SECRET: secret,
      GATEHOUSE_EGRESS_ORIGINS: modern.origin,
    },
    prepare: async (url) => createApi(url, await setUp(url, secret)),
  };
}

/** Registers an upstream with its credential. */
export async function register(api: Api, slug: string, url: URL, token: string): Promise<void> {
  const credential = { type: "bearer", token };
  await registerServer(api, { slug, url: url.href, authentication: { type: "bearer" }, credential });
}

/** Registers both servers that calls go to. @returns the token of a client that may use them */
export async function prepareCalls(api: Api, { modern, legacy, token }: Upstreams): Promise<string> {
  await register(api, slugs.modern, modern, token);
  await register(api, slugs.legacy, legacy, token);
  return (await issueClientToken(api, Object.values(slugs), "bench")).token;
}

/** Both floors in front of one upstream. */
function floors(suffix: string, upstream: URL): V4WorkerOptions[] {
  const bindings = { UPSTREAM: upstream.href };
  return [
    small(`bench-floor${suffix}`, "floor.js", { bindings }),
    small(`bench-floor-audit${suffix}`, "floor-audit.js", { bindings, queueProducers }),
  ];
}

export async function startInstance(upstreams: Upstreams): Promise<Instance> {
  const { vars, prepare } = enterprise(upstreams);
  const runtime = await startRuntime({
    vars,
    workers: [
      await sibling("bench-governed", vars),
      ...floors("", upstreams.modern),
      ...floors("-legacy", upstreams.legacy),
      sink(),
    ],
  });
  try {
    const api = await prepare(runtime.url);
    const token = await prepareCalls(api, upstreams);
    const machine = await registerMachine(api, Object.values(slugs));
    const ports = {
      floor: await portOf(runtime, "bench-floor"),
      "floor+audit": await portOf(runtime, "bench-floor-audit"),
      "floor legacy": await portOf(runtime, "bench-floor-legacy"),
      "floor+audit legacy": await portOf(runtime, "bench-floor-audit-legacy"),
      governed: await portOf(runtime, "bench-governed"),
      "governed+ledger": await portOf(runtime, workerName),
    };
    const endpoint = new URL(`/mcp/${slugs.modern}`, `http://localhost:${ports.governed}`);
    return { runtime, ports, token, endpoint, newAccessToken: () => accessToken(machine, endpoint) };
  } catch (error) {
    await runtime.dispose();
    throw error;
  }
}

/** The port of a Worker's own socket. */
export async function portOf({ mf }: Runtime, name: string): Promise<number> {
  return Number((await mf.unsafeGetDirectURL(name)).port);
}
