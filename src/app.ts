/** The routes, and the pipeline that each takes. Wiring only: what a step does is said in its room. */
import { Hono, type Context, type MiddlewareHandler } from "hono";
import { createAdminApi, type AdminDependencies } from "./admin/index.ts";
import { admitAdministrator } from "./admission/index.ts";
import {
  createRecorder,
  createUnknownCallers,
  networkPrefix,
  queryEvents,
  type Recorder,
  type UnknownCallers,
} from "./audit/index.ts";
import { checkUrl, createConnectionBudget, createSafeFetch } from "./egress/index.ts";
import { parseConfiguration, type Configuration } from "./env.ts";
import { failure, toProblem, type Failure } from "./errors.ts";
import { handleMcp } from "./gateway/index.ts";
import { limits } from "./limits.ts";
import type { Platform } from "./platform.ts";
import type { Ports } from "./ports.ts";
import { catalogsStore, slugSchema } from "./registry/index.ts";
import { log } from "./telemetry/index.ts";
import { announceChange, currentSnapshot, parseRequestUrl, resolveTenant, type TenantHost } from "./tenant/index.ts";
import { createVault, type Vault } from "./vault/index.ts";

interface Site {
  readonly platform: Platform;
  readonly tenant: TenantHost;
  readonly vault: Vault;
  readonly recorder: Recorder;
  readonly unknownCallers: UnknownCallers;
}

type Variables = { site: Site; admin: AdminDependencies };
type AppContext = Context<{ Bindings: Env; Variables: Variables }>;

export type App = Hono<{ Bindings: Env; Variables: Variables }>;

export function createApp(ports: Ports): App {
  const app = new Hono<{ Bindings: Env; Variables: Variables }>({ strict: true });
  const openVault = vaultOpener(ports);
  const site = openSite(ports, openVault);

  // prettier-ignore
  {
    app.get("/healthz",                                         health(openVault));
    app.get("/.well-known/oauth-protected-resource",            site, metadata);
    app.get("/.well-known/oauth-protected-resource/mcp",        site, metadata);
    app.get("/.well-known/oauth-protected-resource/mcp/:slug",  site, metadata);
    app.all("/mcp",                                             site, preflight, mcp);
    app.all("/mcp/:slug",                                       site, preflight, mcp);
    app.use("/api/v1/*",                                        site, admission);
  }
  app.route("/api/v1", createAdminApi() as unknown as App);
  app.notFound(() => toProblem(failure("not_found")));
  app.onError((cause) => {
    log("error", "A request failed unexpectedly", { cause });
    return toProblem(failure("internal"));
  });
  return app;
}

/** The bindings of an isolate are one object: its configuration is parsed once. */
const configurations = new WeakMap<Env, ReturnType<typeof parseConfiguration>>();

function configurationOf(env: Env): ReturnType<typeof parseConfiguration> {
  const known = configurations.get(env);
  if (known !== undefined) return known;
  const parsed = parseConfiguration(env);
  configurations.set(env, parsed);
  return parsed;
}

type OpenVault = (configuration: Configuration) => ReturnType<typeof createVault>;

/** Keys are parsed once for each app, whose ports the vault keeps; the value is immutable. */
function vaultOpener(ports: Ports): OpenVault {
  let known: { readonly keys: string; readonly opened: Awaited<ReturnType<typeof createVault>> } | undefined;
  return async function openVault({ keys }) {
    if (known?.keys === keys) return known.opened;
    const opened = await createVault(keys, ports);
    known = { keys, opened };
    return opened;
  };
}

/** The tenant of the hostname, on a deployment whose configuration and keys are right. Nothing works before that. */
function openSite(ports: Ports, openVault: OpenVault): MiddlewareHandler<{ Bindings: Env; Variables: Variables }> {
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

function health(openVault: OpenVault) {
  return async (c: AppContext): Promise<Response> => {
    const configuration = configurationOf(c.env);
    const usable = configuration.ok && (await openVault(configuration.value)).ok;
    const status = usable ? { status: "ok", mode: configuration.value.mode } : { status: "sealed" };
    return Response.json(status, { status: usable ? 200 : 503, headers: { "cache-control": "no-store" } });
  };
}

/**
 * Metadata of an MCP endpoint as protected resource: the same for every well-formed server name, whether it exists or not.
 * @see RFC 9728 section 3.2
 */
async function metadata(c: AppContext): Promise<Response> {
  const slug = c.req.param("slug");
  if (slug !== undefined && !slugSchema.safeParse(slug).success) return toProblem(failure("not_found"));
  const { origin } = c.var.site.tenant;
  const document = {
    resource: `${origin}${slug === undefined ? "/mcp" : `/mcp/${slug}`}`,
    bearer_methods_supported: ["header"],
    resource_name: "Gatehouse",
  };
  return Response.json(document, { headers: { "cache-control": "no-store" } });
}

/** CORS for the web origins that the tenant allows; never with credentials, which live in no cookie here. */
const preflight: MiddlewareHandler<{ Bindings: Env; Variables: Variables }> = async function preflight(c, next) {
  const origin = c.req.header("origin");
  const { platform, tenant } = c.var.site;
  if (origin === undefined) return next();
  const snapshot = await currentSnapshot(platform, tenant.id);
  const allowed = snapshot.ok && (origin === tenant.origin || snapshot.value.settings.allowed_origins.includes(origin));
  if (!allowed) return next();
  const cors = { "access-control-allow-origin": origin, vary: "Origin" };
  if (c.req.method === "OPTIONS" && c.req.header("access-control-request-method") !== undefined) {
    return new Response(null, {
      status: 204,
      headers: {
        ...cors,
        "access-control-allow-methods": "POST, GET, DELETE",
        "access-control-allow-headers": c.req.header("access-control-request-headers") ?? "",
        "access-control-max-age": "600",
      },
    });
  }
  await next();
  for (const [name, value] of Object.entries(cors)) c.res.headers.set(name, value);
  c.res.headers.set("access-control-expose-headers", "WWW-Authenticate, Mcp-Session-Id");
  return undefined;
};

async function mcp(c: AppContext): Promise<Response> {
  const { platform, tenant, vault, recorder } = c.var.site;
  const slug = c.req.param("slug");
  if (slug !== undefined && !slugSchema.safeParse(slug).success) return toProblem(failure("not_found"));
  const { configuration, ports } = platform;
  const policy = { mode: configuration.mode, origins: configuration.egressOrigins };
  const address = c.req.header("cf-connecting-ip");
  const country = (c.req.raw.cf as { country?: string } | undefined)?.country;
  return handleMcp(c.req.raw, {
    platform,
    tenant,
    endpoint: { path: slug === undefined ? "/mcp" : `/mcp/${slug}`, slug },
    vault,
    recorder,
    fetch: createSafeFetch(ports, policy, createConnectionBudget(limits.connectionsAtOnce_count)),
    source: { ...(country === undefined ? {} : { country }), network: networkPrefix(address) },
    countUnknown: countUnknown(c),
  });
}

/** Guessing at the set-up secret, and using it again, are told from a forgotten header. */
function refusalOf(c: AppContext, admission: Failure): string {
  if (c.req.path !== "/api/v1/setup") return admission.reason ?? admission.code;
  return c.res.status === 401 ? "wrong_setup_secret" : "setup_refused";
}

/** Failures of callers that nobody knows become one event for each window, never a message each. */
function countUnknown(c: AppContext): (reason: string) => void {
  const { platform, tenant, recorder, unknownCallers } = c.var.site;
  const { clock, random } = platform.ports;
  const address = c.req.header("cf-connecting-ip");
  const { waitUntil } = platform;
  return (reason) =>
    unknownCallers.count({ tenant: tenant.id, reason, address }, { clock, random, waitUntil, recorder });
}

/** What the admin API works with; it answers by itself what a caller without credential gets. */
const admission: MiddlewareHandler<{ Bindings: Env; Variables: Variables }> = async function admission(c, next) {
  const { platform, tenant, vault, recorder } = c.var.site;
  const { configuration, ports, bindings } = platform;
  const origin = c.req.header("origin");
  // The admin API has no web client of another origin: a page that calls it is an attack on a loopback deployment.
  if (origin !== undefined && origin !== tenant.origin) {
    countUnknown(c)("origin");
    return toProblem(failure("forbidden_origin"));
  }
  const snapshot = await currentSnapshot(platform, tenant.id);
  if (!snapshot.ok) return toProblem(snapshot.error);
  const now = ports.clock.now();
  const admitted = await admitAdministrator(configuration.mode, snapshot.value, c.req.raw.headers, now);
  c.set("admin", {
    tenant: tenant.id,
    origin: tenant.origin,
    mode: configuration.mode,
    initialised: snapshot.value.initialised,
    setupSecret: configuration.setupSecret,
    database: bindings.DB,
    ports,
    vault,
    principal: admitted.ok ? admitted.value : undefined,
    admissionFailure: admitted.ok ? undefined : admitted.error,
    checkUrl: (url) => checkUrl(url, { mode: configuration.mode, origins: configuration.egressOrigins }),
    record: (event) => recorder.record(event),
    announce: () => announceChange(platform, tenant.id),
    queryEvents: (filter) => queryEvents(bindings, tenant.id, filter, now),
    readServerStatus: (id) => catalogsStore(platform, tenant.id).readStatus(id),
  });
  await next();
  if (!admitted.ok && c.res.status >= 400) countUnknown(c)(refusalOf(c, admitted.error));
  return undefined;
};
