/** Gatehouse as it is deployed, for black-box tests: the built Worker on a socket of its own. */
import { createApi, issueClientToken, setUp, type Api } from "../../../scripts/lib/admin-api.ts";
import { newKey, newSecret } from "../../../scripts/lib/keys.ts";
import { startRuntime, type Runtime } from "../../../scripts/lib/runtime.ts";

export interface GatehouseOptions {
  /** "enterprise" without it; it is set up before the test begins. */
  readonly mode?: "development" | "enterprise";
  /** Over the defaults; undefined takes a variable away. */
  readonly vars?: Readonly<Record<string, string | undefined>>;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** Directory of the state, for tests that start again on it. */
  readonly persist?: string;
  /** Leaves an enterprise deployment as it is; `adminToken` is then empty. */
  readonly setUp?: boolean;
  /** A token of an earlier run on the same `persist`, instead of set-up. */
  readonly adminToken?: string;
}

export interface Gatehouse {
  readonly url: URL;
  /** Empty in development mode, where the API asks for none. */
  readonly adminToken: string;
  readonly setupSecret: string;
  readonly keys: string;
  /** Calls `/api/v1` + path as administrator. */
  readonly api: Api;
  /** Every line that the Worker logged so far. */
  readonly logs: readonly string[];
  readonly runtime: Runtime;
  /** A client with this allow-list and a token for `/mcp`. */
  issueClientToken(servers: readonly string[], name?: string): Promise<{ clientId: string; token: string }>;
  dispose(): Promise<void>;
}

export async function startGatehouse(options: GatehouseOptions = {}): Promise<Gatehouse> {
  const mode = options.mode ?? "enterprise";
  const setupSecret = options.vars?.["GATEHOUSE_SETUP_SECRET"] ?? newSecret();
  const keys = options.vars?.["GATEHOUSE_KEYS"] ?? newKey("test");
  const logs: string[] = [];
  const runtime = await startRuntime({
    port: options.port ?? 0,
    ...(options.persist === undefined ? {} : { persist: options.persist }),
    vars: {
      GATEHOUSE_MODE: mode,
      GATEHOUSE_TENANTS: "default=localhost other=other.localhost",
      GATEHOUSE_KEYS: keys,
      GATEHOUSE_SETUP_SECRET: setupSecret,
      ...options.vars,
    },
    log: (line) => logs.push(line),
  });
  try {
    const needed = mode === "enterprise" && options.setUp !== false && options.adminToken === undefined;
    const adminToken = options.adminToken ?? (needed ? await setUp(runtime.url, setupSecret) : "");
    const api = createApi(runtime.url, adminToken === "" ? undefined : adminToken);
    return {
      url: runtime.url,
      adminToken,
      setupSecret,
      keys,
      api,
      logs,
      runtime,
      issueClientToken: (servers, name) => issueClientToken(api, servers, name),
      dispose: () => runtime.dispose(),
    };
  } catch (error) {
    await runtime.dispose();
    throw error;
  }
}
