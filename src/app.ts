/** The routes, and the pipeline that each takes. Wiring only: what a step does is said in its room. */
import { Hono } from "hono";
import { callAdmin, createAdminApi, type AdminDependencies } from "./admin/index.ts";
import { admitAdministrator, type Principal } from "./admission/index.ts";
import { queryEvents } from "./audit/index.ts";
import { clientDocument, type CheckServer } from "./connections/index.ts";
import { isDatabaseFailure } from "./db/index.ts";
import { checkUrl } from "./egress/index.ts";
import { failure, toProblem, type Failure } from "./errors.ts";
import { handleMcp, tryCredential } from "./gateway/index.ts";
import type { Visit, WebSession } from "./login/index.ts";
import {
  authorizationServerMetadata,
  handleRegister,
  handleRevoke,
  handleToken,
  jwksDocument,
  protectedResourceMetadata,
} from "./oauth/index.ts";
import { createPortal } from "./portal/index.ts";
import type { JsonObject, Ports } from "./ports.ts";
import { catalogsStore, slugSchema } from "./registry/index.ts";
import { countUnknown, enterpriseOnly, fetchOf, health, openSite, openVisit, sourceOf, vaultOpener } from "./site.ts";
import type { AppContext, AppEnv, Middleware } from "./site.ts";
import { log } from "./telemetry/index.ts";
import { announceChange, currentSnapshot, type Snapshot } from "./tenant/index.ts";

export type App = Hono<AppEnv>;

export function createApp(ports: Ports): App {
  const app = new Hono<AppEnv>({ strict: true });
  const openVault = vaultOpener(ports);
  const site = openSite(ports, openVault);
  const people = enterpriseOnly;
  const visit = openVisit;

  // prettier-ignore
  {
    app.get("/healthz",                                         health(openVault));
    app.get("/.well-known/oauth-protected-resource",            site, readable, resource);
    app.get("/.well-known/oauth-protected-resource/mcp",        site, readable, resource);
    app.get("/.well-known/oauth-protected-resource/mcp/:slug",  site, readable, resource);
    app.get("/.well-known/oauth-authorization-server",          site, readable, people, visit, document(authorizationServerMetadata));
    app.get("/.well-known/openid-configuration",                site, readable, people, visit, document(authorizationServerMetadata));
    app.get("/oauth/jwks.json",                                 site, readable, visit, document(jwksDocument));
    app.get("/oauth/client.json",                               site, readable, visit, document(ownDocument));
    app.all("/oauth/token",                                     site, people, visit, preflight, answer(handleToken));
    app.all("/oauth/revoke",                                    site, people, visit, preflight, answer(handleRevoke));
    app.all("/oauth/register",                                  site, people, visit, preflight, answer(handleRegister));
    app.all("/mcp",                                             site, preflight, mcp);
    app.all("/mcp/:slug",                                       site, preflight, mcp);
    app.use("/api/v1/*",                                        site, admission);
  }
  app.route("/api/v1", createAdminApi() as unknown as App);
  app.route("/", createPortal(site, visit, administration, trials) as unknown as App);
  app.notFound(() => toProblem(failure("not_found")));
  app.onError(answerThrown);
  return app;
}

/** A database that does not answer is expected at times; anything else is a defect. */
function answerThrown(cause: Error): Response {
  if (!isDatabaseFailure(cause)) {
    log("error", "A request failed unexpectedly", { cause });
    return toProblem(failure("internal"));
  }
  log("error", "The database did not answer", { cause });
  return toProblem(failure("unavailable", undefined, { reason: "database", headers: { "retry-after": "1" } }));
}

/** Public documents without anybody's data: any web page may read them, as clients that run in browsers must. */
const readable: Middleware = async function readable(c, next) {
  await next();
  c.res.headers.set("access-control-allow-origin", "*");
};

/** @see RFC 9728 section 3.2: the same for every well-formed server name, whether it exists or not */
async function resource(c: AppContext): Promise<Response> {
  const slug = c.req.param("slug");
  if (slug !== undefined && !slugSchema.safeParse(slug).success) return toProblem(failure("not_found"));
  const { platform, tenant } = c.var.site;
  const path = slug === undefined ? "/mcp" : `/mcp/${slug}`;
  const metadata = protectedResourceMetadata(platform.configuration.mode, tenant.origin, path);
  return Response.json(metadata, { headers: { "cache-control": "no-store" } });
}

/** Who we are to the authorization servers of upstreams. */
const ownDocument = ({ tenant }: Visit): JsonObject => clientDocument(tenant.origin);

function document(make: (visit: Visit) => JsonObject | Promise<JsonObject>) {
  return async (c: AppContext): Promise<Response> =>
    Response.json(await make(c.var.visit), { headers: { "cache-control": "no-store" } });
}

function answer(handle: (visit: Visit, request: Request) => Promise<Response>) {
  return (c: AppContext): Promise<Response> => handle(c.var.visit, c.req.raw);
}

/** CORS for the web origins that the tenant allows; never with credentials, which live in no cookie here. */
const preflight: Middleware = async function preflight(c, next) {
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
  return handleMcp(c.req.raw, {
    ...{ platform, tenant, vault, recorder },
    endpoint: { path: slug === undefined ? "/mcp" : `/mcp/${slug}`, slug },
    fetch: fetchOf(c.var.site),
    source: sourceOf(c),
    countUnknown: countUnknown(c),
  });
}

/** Guessing at the set-up secret, and using it again, are told from a forgotten header. */
function refusalOf(c: AppContext, admission: Failure): string {
  if (c.req.path !== "/api/v1/setup") return admission.reason ?? admission.code;
  return c.res.status === 401 ? "wrong_setup_secret" : "setup_refused";
}

/** The admin API answers by itself what a caller without credential gets. */
const admission: Middleware = async function admission(c, next) {
  const { platform, tenant } = c.var.site;
  const { configuration, ports } = platform;
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
  const who = admitted.ok ? { principal: admitted.value } : { admissionFailure: admitted.error };
  c.set("admin", adminOf(c, snapshot.value, who));
  await next();
  if (!admitted.ok && c.res.status >= 400) countUnknown(c)(refusalOf(c, admitted.error));
  return undefined;
};

/** What the admin API works with. */
function adminOf(
  c: AppContext,
  snapshot: Snapshot,
  who: { readonly principal?: Principal; readonly admissionFailure?: Failure },
): AdminDependencies {
  const { platform, tenant, vault, recorder } = c.var.site;
  const { configuration, ports, bindings } = platform;
  return {
    tenant: tenant.id,
    origin: tenant.origin,
    mode: configuration.mode,
    initialised: snapshot.initialised,
    setupSecret: configuration.setupSecret,
    database: bindings.DB,
    ports,
    vault,
    principal: who.principal,
    admissionFailure: who.admissionFailure,
    visit: {
      ...{ platform, tenant, vault, recorder, snapshot },
      fetch: fetchOf(c.var.site),
      source: sourceOf(c),
      countUnknown: countUnknown(c),
    },
    checkUrl: (url) => checkUrl(url, { mode: configuration.mode, origins: configuration.egressOrigins }),
    record: (event) => recorder.record(event),
    announce: () => announceChange(platform, tenant.id),
    queryEvents: (filter) => queryEvents(bindings, tenant.id, filter, ports.clock.now()),
    readServerStatus: (id) => catalogsStore(platform, tenant.id).readStatus(id),
  };
}

/** Pages try a key at the server that it is for before they keep it. */
const trials: Middleware = async function trials(c, next) {
  const { visit } = c.var;
  const checkServer: CheckServer = (server, held, person) => tryCredential(visit, server, held, person);
  c.set("checkServer", checkServer);
  return next();
};

/** Pages change things through the admin API, as the person that is signed in: the same checks, the same events. */
const administration: Middleware = async function administration(c, next) {
  c.set("callAdmin", (session: WebSession, method, path, body) => {
    const { user } = session;
    const principal: Principal = {
      id: `user:${user.id}`,
      kind: "administrator",
      agent: "console",
      user: {
        id: user.id,
        ...(user.email === null ? {} : { email: user.email }),
        email_verified: user.email_verified,
        groups: new Set(user.groups),
        chosen: new Set(),
      },
    };
    // A page that forgot to ask for the role must not become a way around it.
    if (user.role === "member") return Promise.resolve({ status: 403, body: {} });
    const readonly = user.role !== "administrator";
    return callAdmin(adminOf(c, c.var.visit.snapshot, { principal }), method, path, body, { readonly });
  });
  return next();
};
