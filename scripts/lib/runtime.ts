/**
 * The one way to run the built Worker on this machine: workerd with real D1, KV, Durable Objects and Queues, configured by
 * `wrangler.toml`, so that bindings are said once.
 */
import { dirname } from "node:path";
import { convertV4MiniflareOptions, Miniflare, type MiniflareOptions, type V4WorkerOptions } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { bundleWorker } from "./bundle.ts";
import { applyMigrations } from "./migrations.ts";
import { at } from "./root.ts";

export interface RuntimeOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** Address to listen on; loopback by default. */
  readonly host?: string;
  /** Directory in which D1, KV, Durable Objects and Queues are kept; nothing is kept without it. */
  readonly persist?: string;
  /** Variables and secrets over those of `wrangler.toml`; undefined takes one away. */
  readonly vars?: Readonly<Record<string, string | undefined>>;
  /** More Workers in the same instance, for instance a floor to measure against. */
  readonly workers?: readonly V4WorkerOptions[];
  /**
   * True, the default: the socket belongs to the Worker itself, so it sees each request as it was sent, with its Host. False:
   * Miniflare's front stands before it, which compresses, adds `cf` and answers `/cdn-cgi/local/*`.
   */
  readonly direct?: boolean;
  /** Takes each line that the Worker logs; standard error without it, so that standard output stays parseable. */
  readonly log?: (line: string) => void;
}

export interface Runtime {
  readonly url: URL;
  readonly mf: Miniflare;
  dispose(): Promise<void>;
}

export const workerName = "gatehouse";

function variables(
  base: object,
  over: Readonly<Record<string, string | undefined>>,
): NonNullable<V4WorkerOptions["bindings"]> {
  const merged: NonNullable<V4WorkerOptions["bindings"]> = {};
  for (const [name, value] of Object.entries({ ...base, ...over })) {
    if (typeof value === "string") merged[name] = value;
  }
  return merged;
}

/**
 * Miniflare ends the process at once on a signal. A program with handlers of its own stops its parts in order instead.
 */
function createMiniflare(options: MiniflareOptions): Miniflare {
  const handled = (["SIGINT", "SIGTERM", "SIGHUP"] as const).flatMap((signal) => {
    const own = process.listeners(signal);
    return own.length === 0 ? [] : [{ signal, own }];
  });
  const mf = new Miniflare(options);
  for (const { signal, own } of handled) {
    for (const listener of process.listeners(signal)) if (!own.includes(listener)) process.off(signal, listener);
  }
  return mf;
}

/**
 * Starts the Worker and brings its database up to date.
 * @throws when the Worker cannot be bundled or does not start, for instance because the port is taken
 */
export async function startRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const { script } = await bundleWorker();
  // The rules say how to bundle, which has been done.
  const { modulesRules: _rules, ...configured } = unstable_getMiniflareWorkerOptions(at("wrangler.toml")).workerOptions;
  const host = options.host ?? "127.0.0.1";
  const port = options.port ?? 0;
  const direct = options.direct ?? true;
  const log = options.log ?? ((line: string) => process.stderr.write(`${line}\n`));

  const worker: V4WorkerOptions = {
    ...configured,
    name: workerName,
    rootPath: at(),
    modules: [{ type: "ESModule", path: script }],
    modulesRoot: dirname(script),
    bindings: variables(configured.bindings ?? {}, options.vars ?? {}),
    // Requests to upstreams leave workerd as the Worker made them; otherwise a second Worker rewrites each.
    stripCfConnectingIp: false,
    ...(direct ? { unsafeDirectSockets: [{ host, port }] } : {}),
  };
  const mf = createMiniflare(
    convertV4MiniflareOptions({
      host: direct ? "127.0.0.1" : host,
      port: direct ? 0 : port,
      // The default asks a server on the Internet where this machine is.
      cf: false,
      logRequests: false,
      telemetry: { enabled: false },
      handleStructuredLogs: ({ message }) => log(message),
      ...(options.persist === undefined ? {} : { resourcePersistencePath: options.persist }),
      workers: [worker, ...(options.workers ?? [])],
    }),
  );
  try {
    const entry = await mf.ready;
    await applyMigrations(
      (await mf.getD1Database("DB", workerName)) as unknown as Parameters<typeof applyMigrations>[0],
    );
    const bound = direct ? await mf.unsafeGetDirectURL(workerName) : entry;
    // By name: the tenant of this machine is `localhost`, an address is no tenant.
    return { url: new URL(`http://localhost:${bound.port}`), mf, dispose: () => mf.dispose() };
  } catch (error) {
    await mf.dispose();
    throw error;
  }
}
