/** What every request begins with: the tenant of its hostname, on a deployment whose configuration and keys are right. */
import type { Context, MiddlewareHandler } from "hono";
import type { AdminDependencies } from "./admin/index.ts";
import {
  createRecorder,
  createUnknownCallers,
  networkPrefix,
  type Recorder,
  type UnknownCallers,
} from "./audit/index.ts";
import { createConnectionBudget, createSafeFetch } from "./egress/index.ts";
import { parseConfiguration, type Configuration } from "./env.ts";
import { failure, toProblem } from "./errors.ts";
import { limits } from "./limits.ts";
import type { Visit } from "./login/index.ts";
import type { Platform } from "./platform.ts";
import type { PortalVariables } from "./portal/index.ts";
import type { Ports } from "./ports.ts";
import { log } from "./telemetry/index.ts";
import { currentSnapshot, parseRequestUrl, resolveTenant, type TenantHost } from "./tenant/index.ts";
import { createVault, type Vault } from "./vault/index.ts";

export interface Site {
  readonly platform: Platform;
  readonly tenant: TenantHost;
  readonly vault: Vault;
  readonly recorder: Recorder;
  readonly unknownCallers: UnknownCallers;
}

export interface Variables extends PortalVariables {
  site: Site;
  admin: AdminDependencies;
}

export interface AppEnv {
  Bindings: Env;
  Variables: Variables;
}

export type AppContext = Context<AppEnv>;
export type Middleware = MiddlewareHandler<AppEnv>;

/** The bindings of an isolate are one object: its configuration is parsed once. */
const configurations = new WeakMap<Env, ReturnType<typeof parseConfiguration>>();

export function configurationOf(env: Env): ReturnType<typeof parseConfiguration> {
  const known = configurations.get(env);
  if (known !== undefined) return known;
  const parsed = parseConfiguration(env);
  configurations.set(env, parsed);
  return parsed;
}

export type OpenVault = (configuration: Configuration) => ReturnType<typeof createVault>;

/** Keys are parsed once for each app, whose ports the vault keeps; the value is immutable. */
export function vaultOpener(ports: Ports): OpenVault {
  let known: { readonly keys: string; readonly opened: Awaited<ReturnType<typeof createVault>> } | undefined;
  return async function openVault({ keys }) {
    if (known?.keys === keys) return known.opened;
    const opened = await createVault(keys, ports);
    known = { keys, opened };
    return opened;
  };
}

/** Nothing works before this step. */
export function openSite(ports: Ports, openVault: OpenVault): Middleware {
  const unknownCallers = createUnknownCallers();
  return async function site(c, next) {
    const configuration = configurationOf(c.env);
    if (!configuration.ok) return sealed(configuration.error);
    const url = parseRequestUrl(c.req.url, c.req.raw.headers);
    const tenant = url === undefined ? undefined : resolveTenant(url, configuration.value);
    if (tenant === undefined) return toProblem(failure("not_found", "There is no tenant at this host"));
    const vault = await openVault(configuration.value);
    if (!vault.ok) return sealed(vault.error);
    const platform: Platform = {
      configuration: configuration.value,
      ports,
      bindings: c.env,
      waitUntil: (promise) => c.executionCtx.waitUntil(promise),
      log,
    };
    const recorder = createRecorder({ queue: c.env.AUDIT, outbox: c.env.OUTBOX, clock: ports.clock });
    c.set("site", { platform, tenant, vault: vault.value, recorder, unknownCallers });
    return next();
  };
}

function sealed(sentence: string): Response {
  log("error", "The configuration is not valid", { sentence });
  return toProblem(failure("sealed", sentence, { headers: { "retry-after": "60" } }));
}

export function health(openVault: OpenVault) {
  return async (c: AppContext): Promise<Response> => {
    const configuration = configurationOf(c.env);
    const usable = configuration.ok && (await openVault(configuration.value)).ok;
    const status = usable ? { status: "ok", mode: configuration.value.mode } : { status: "sealed" };
    return Response.json(status, { status: usable ? 200 : 503, headers: { "cache-control": "no-store" } });
  };
}

/** Where a request comes from, as the platform sees it. */
export function sourceOf(c: AppContext): Visit["source"] {
  const country = (c.req.raw.cf as { country?: string } | undefined)?.country;
  return { ...(country === undefined ? {} : { country }), network: networkPrefix(c.req.header("cf-connecting-ip")) };
}

/** The way out for one request, with a connection budget of its own. */
export function fetchOf({ platform: { configuration, ports } }: Site): Visit["fetch"] {
  const policy = { mode: configuration.mode, origins: configuration.egressOrigins };
  return createSafeFetch(ports, policy, createConnectionBudget(limits.connectionsAtOnce_count));
}

/** Failures of callers that nobody knows become one event for each window, never a message each. */
export function countUnknown(c: AppContext): (reason: string) => void {
  const { platform, tenant, recorder, unknownCallers } = c.var.site;
  const { clock, random } = platform.ports;
  const address = c.req.header("cf-connecting-ip");
  const { waitUntil } = platform;
  return (reason) =>
    unknownCallers.count({ tenant: tenant.id, reason, address }, { clock, random, waitUntil, recorder });
}

/** Signing in and OAuth towards clients exist in enterprise mode only: development mode knows nobody. */
export const enterpriseOnly: Middleware = async function enterpriseOnly(c, next) {
  if (c.var.site.platform.configuration.mode === "development") return toProblem(failure("not_found"));
  return next();
};

/** What pages, and whatever else is about people, work with. */
export const openVisit: Middleware = async function openVisit(c, next) {
  const { platform, tenant, vault, recorder } = c.var.site;
  const snapshot = await currentSnapshot(platform, tenant.id);
  if (!snapshot.ok) return toProblem(snapshot.error);
  c.set("visit", {
    ...{ platform, tenant, vault, recorder },
    snapshot: snapshot.value,
    fetch: fetchOf(c.var.site),
    source: sourceOf(c),
    countUnknown: countUnknown(c),
  });
  return next();
};
