/**
 * Who may reach what: every route of the app, every method, every kind of caller. A route that is not in this table fails the
 * tests, so that none can be added without saying who may use it.
 */

import { stylesheetPath } from "../../../src/portal/design/index.ts";

/** Status by method; `*` stands for all others. The requests carry no body, so a permitted POST or PATCH ends at 415. */
export type Cell = Readonly<Record<string, number>>;

export interface Row {
  /** As the app registers it. */
  readonly path: string;
  /** A path that the route takes. */
  readonly sample: string;
  /** No credential, one that is unknown, any of another tenant, the set-up secret. */
  readonly stranger: Cell;
  readonly client: Cell;
  readonly administrator: Cell;
}

export const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] as const;

const id = "01935000-0000-7000-8000-000000000000";
const refused: Cell = { "*": 401 };
const read: Cell = { GET: 200, HEAD: 200 };

/** The same for everybody; nothing of it depends on who asks. */
const open = (path: string, sample: string, cell: Cell): Row => ({
  ...{ path, sample },
  ...{ stranger: cell, client: cell, administrator: cell },
});

/**
 * Pages know people by their session cookie, so that every bearer credential is nothing to them. Without a session they lead to the
 * sign-in; a form must be one, or it is not read.
 */
const page = (path: string, cell: Cell): Row => {
  const sample = path.replace(/:\w+/g, id);
  return open(path, sample, { ...cell, "*": 404 });
};

/** HEAD would do what GET does, so pages take none. */
const signIn: Cell = { GET: 303, HEAD: 405 };
const form: Cell = { POST: 415 };
const nothingAsked: Cell = { GET: 400, HEAD: 405 };

const mcp = (path: string, sample: string): Row => ({
  ...{ path, sample, stranger: refused },
  client: { POST: 415, "*": 405 },
  administrator: refused,
});

const admin = (path: string, sample: string, administrator: Cell): Row => ({
  ...{ path: `/api/v1${path}`, sample: `/api/v1${sample}`, stranger: refused, client: refused },
  administrator: { ...administrator, "*": 405 },
});

const missing: Cell = { GET: 404, HEAD: 404 };

export const table: readonly Row[] = [
  open("/healthz", "/healthz", { ...read, "*": 404 }),
  open("/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource", { ...read, "*": 404 }),
  open("/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource/mcp", { ...read, "*": 404 }),
  open("/.well-known/oauth-protected-resource/mcp/:slug", "/.well-known/oauth-protected-resource/mcp/up", {
    ...{ ...read, "*": 404 },
  }),
  page("/.well-known/oauth-authorization-server", read),
  page("/.well-known/openid-configuration", read),
  page("/oauth/jwks.json", read),
  page("/oauth/client.json", read),
  open("/oauth/token", "/oauth/token", { POST: 400, "*": 405 }),
  open("/oauth/revoke", "/oauth/revoke", { POST: 400, "*": 405 }),
  open("/oauth/register", "/oauth/register", { POST: 400, "*": 405 }),
  page("/oauth/authorize", { ...nothingAsked, ...form }),
  page("/oauth/consent", { ...nothingAsked, ...form }),
  page(stylesheetPath, { GET: 200, HEAD: 405 }),
  page("/", { GET: 200, HEAD: 405 }),
  // The tenant of these tests has no identity provider.
  page("/login", { GET: 503, HEAD: 405 }),
  page("/login/callback", nothingAsked),
  page("/login/callback/:provider", nothingAsked),
  page("/login/backchannel-logout", { POST: 400 }),
  page("/logout", form),
  page("/me", signIn),
  page("/me/grants/:id/servers", { ...signIn, ...form }),
  page("/me/grants/:id/revoke", form),
  page("/admin", signIn),
  page("/admin/agents", signIn),
  page("/admin/agents/:id", signIn),
  page("/admin/agents/:id/disable", form),
  page("/admin/agents/:id/enable", form),
  page("/admin/agents/:id/grants/:grant/revoke", form),
  page("/admin/redirect-uris", { ...signIn, ...form }),
  page("/admin/redirect-uris/:id/remove", form),
  // A form sent here is one for a server of that name, and no server may have it.
  page("/connect/callback", { ...signIn, ...form }),
  page("/connect/credentials/:id", { ...signIn, ...form }),
  page("/connect/:slug/callback", signIn),
  page("/connect/:slug/callback/:registration", signIn),
  page("/connect/:slug", { ...signIn, ...form }),
  page("/me/connections", signIn),
  page("/me/connections/:id/disconnect", { ...signIn, ...form }),
  page("/me/connections/:id/default", form),
  page("/admin/connections", signIn),
  page("/admin/connections/:id/remove", form),
  mcp("/mcp", "/mcp"),
  mcp("/mcp/:slug", "/mcp/up"),
  {
    ...{ path: "/api/v1/openapi.json", sample: "/api/v1/openapi.json" },
    stranger: { ...read, "*": 401 },
    client: { ...read, "*": 401 },
    administrator: { ...read, "*": 405 },
  },
  {
    ...{ path: "/api/v1/setup", sample: "/api/v1/setup" },
    stranger: { POST: 415, "*": 401 },
    client: { POST: 415, "*": 401 },
    administrator: { POST: 415, "*": 405 },
  },
  admin("/servers", "/servers", { ...read, POST: 415 }),
  admin("/servers/:id", `/servers/${id}`, { ...missing, PATCH: 415, DELETE: 404 }),
  admin("/servers/:id/status", `/servers/${id}/status`, missing),
  admin("/clients", "/clients", { ...read, POST: 415 }),
  admin("/clients/:id", `/clients/${id}`, { ...missing, PATCH: 415, DELETE: 404 }),
  admin("/clients/:id/tokens", `/clients/${id}/tokens`, { ...missing, POST: 415 }),
  admin("/clients/:id/tokens/:tokenId", `/clients/${id}/tokens/${id}`, { DELETE: 404 }),
  admin("/clients/:id/tokens/:tokenId/rotate", `/clients/${id}/tokens/${id}/rotate`, { POST: 415 }),
  admin("/clients/:id/secrets", `/clients/${id}/secrets`, { ...missing, POST: 415 }),
  admin("/clients/:id/secrets/:tokenId", `/clients/${id}/secrets/${id}`, { DELETE: 404 }),
  admin("/identity-providers", "/identity-providers", { ...read, POST: 415 }),
  admin("/identity-providers/:id", `/identity-providers/${id}`, { ...missing, PATCH: 415, DELETE: 404 }),
  admin("/users", "/users", read),
  admin("/users/:id", `/users/${id}`, { ...missing, PATCH: 415 }),
  admin("/redirect-uris", "/redirect-uris", { ...read, POST: 415 }),
  // DELETE takes it for the id of an entry.
  admin("/redirect-uris/blocked", "/redirect-uris/blocked", { ...read, DELETE: 404 }),
  admin("/redirect-uris/:id", `/redirect-uris/${id}`, { DELETE: 404 }),
  admin("/grants", "/grants", read),
  admin("/grants/:id", `/grants/${id}`, { ...missing, DELETE: 404 }),
  admin("/agents", "/agents", read),
  // base64url of a client id.
  admin("/agents/:id", "/agents/aHR0cHM6Ly9hcHAuZXhhbXBsZS8", { ...missing, PATCH: 415 }),
  admin("/tokens", "/tokens", { ...read, POST: 415 }),
  admin("/tokens/:tokenId", `/tokens/${id}`, { DELETE: 404 }),
  admin("/connections", "/connections", read),
  admin("/connections/:id", `/connections/${id}`, { ...missing, DELETE: 404 }),
  admin("/credentials", "/credentials", { ...read, POST: 415 }),
  admin("/credentials/:id", `/credentials/${id}`, { ...missing, PATCH: 415, DELETE: 404 }),
  admin("/vault", "/vault", read),
  admin("/vault/rewrap", "/vault/rewrap", { POST: 415 }),
  admin("/settings", "/settings", { ...read, PATCH: 415 }),
  admin("/events", "/events", read),
  // Whatever else stands below the API: first who asks, then that there is nothing.
  {
    ...{ path: "/api/v1/*", sample: "/api/v1/nothing/here" },
    ...{ stranger: refused, client: refused, administrator: { "*": 404 } },
  },
];
