/** The pages and their addresses. */
import { Hono, type MiddlewareHandler } from "hono";
import { failure, toProblem } from "../errors.ts";
import { disableAgent, enableAgent, revokeAgentGrant, showAgent } from "./admin/agent.tsx";
import { showAgents } from "./admin/agents.tsx";
import { removeConnection, showConnections as showAllConnections } from "./admin/connections.tsx";
import { addRedirect, removeRedirect, showRedirects } from "./admin/redirect-uris.tsx";
import { authorizeByGet, authorizeByPost } from "./authorize/authorize.ts";
import { decideConsent, showConsent } from "./authorize/consent.tsx";
import { connectCallback } from "./connect/callback.ts";
import { connect, showConnect } from "./connect/connect.tsx";
import type { PortalEnv, PortalHandler } from "./context.ts";
import { stylesheet, stylesheetPath } from "./design/index.ts";
import { showThrown } from "./errors/refusals.ts";
import { securityHeaders } from "./headers.ts";
import { disconnect, showConnections, showDisconnect, useByDefault } from "./me/connections.tsx";
import { changeServers, showServers } from "./me/servers.tsx";
import { revokeOwn, showAccess } from "./me/access.tsx";
import { home } from "./me/home.tsx";
import { backChannelLogout, callback } from "./sign-in/callback.ts";
import { login } from "./sign-in/login.tsx";
import { logout } from "./sign-in/logout.ts";
import { seeOther } from "./show.tsx";

// prettier-ignore
const routes: readonly (readonly [method: "GET" | "POST", path: string, handler: PortalHandler])[] = [
  ["GET",  "/",                                     home],
  ["GET",  "/oauth/authorize",                      authorizeByGet],
  ["POST", "/oauth/authorize",                      authorizeByPost],
  ["GET",  "/oauth/consent",                        showConsent],
  ["POST", "/oauth/consent",                        decideConsent],
  ["GET",  "/login",                                login],
  ["GET",  "/login/callback",                       callback],
  ["GET",  "/login/callback/:provider",             callback],
  ["POST", "/login/backchannel-logout",             backChannelLogout],
  ["POST", "/logout",                               logout],
  ["GET",  "/me",                                   showAccess],
  ["GET",  "/me/grants/:id/servers",                showServers],
  ["POST", "/me/grants/:id/servers",                changeServers],
  ["POST", "/me/grants/:id/revoke",                 revokeOwn],
  ["GET",  "/admin",                                () => seeOther("/admin/agents")],
  ["GET",  "/admin/agents",                         showAgents],
  ["GET",  "/admin/agents/:id",                     showAgent],
  ["POST", "/admin/agents/:id/disable",             disableAgent],
  ["POST", "/admin/agents/:id/enable",              enableAgent],
  ["POST", "/admin/agents/:id/grants/:grant/revoke", revokeAgentGrant],
  ["GET",  "/admin/redirect-uris",                  showRedirects],
  ["POST", "/admin/redirect-uris",                  addRedirect],
  ["POST", "/admin/redirect-uris/:id/remove",       removeRedirect],
  ["GET",  "/admin/connections",                    showAllConnections],
  ["POST", "/admin/connections/:id/remove",         removeConnection],
];

/** What development mode has as well, where nobody signs in: accounts at servers are connected there like anywhere. */
// prettier-ignore
const routesOfEveryMode: typeof routes = [
  ["GET",  stylesheetPath,                          stylesheet],
  ["GET",  "/connect/callback",                     connectCallback],
  ["GET",  "/connect/credentials/:id",              showConnect],
  ["POST", "/connect/credentials/:id",              connect],
  ["GET",  "/connect/:slug/callback",               connectCallback],
  ["GET",  "/connect/:slug/callback/:registration", connectCallback],
  ["GET",  "/connect/:slug",                        showConnect],
  ["POST", "/connect/:slug",                        connect],
  ["GET",  "/me/connections",                       showConnections],
  ["GET",  "/me/connections/:id/disconnect",        showDisconnect],
  ["POST", "/me/connections/:id/disconnect",        disconnect],
  ["POST", "/me/connections/:id/default",           useByDefault],
];

/** The pages of people who sign in exist in enterprise mode only: development mode knows nobody. */
const enterpriseOnly: MiddlewareHandler<PortalEnv> = async function enterpriseOnly(c, next) {
  if (c.var.visit.platform.configuration.mode === "development") return toProblem(failure("not_found"));
  return next();
};

/** Opening some pages does something (a code is issued, a sign-in begins), and hono answers HEAD with the handler of GET. */
const noHead: MiddlewareHandler<PortalEnv> = async function noHead(c, next) {
  if (c.req.method === "HEAD") return c.body(null, 405, { allow: "GET" });
  return next();
};

/**
 * @param before steps in front of every page, which set what `PortalVariables` names; they may answer themselves
 */
export function createPortal<E extends PortalEnv>(...before: readonly MiddlewareHandler<E>[]): Hono<PortalEnv> {
  const portal = new Hono<PortalEnv>({ strict: true });
  // Their variables are a superset of ours, which hono's invariant types cannot say.
  const steps = before as readonly unknown[] as readonly MiddlewareHandler<PortalEnv>[];
  for (const [method, path, handler] of routesOfEveryMode) {
    portal.on(method, path, securityHeaders, noHead, ...steps, handler);
  }
  for (const [method, path, handler] of routes) {
    portal.on(method, path, securityHeaders, noHead, ...steps, enterpriseOnly, handler);
  }
  portal.onError((cause, c) => showThrown(c, cause));
  return portal;
}
