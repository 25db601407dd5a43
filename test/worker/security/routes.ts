/**
 * Who may reach what: every route of the app, every method, every kind of caller. A route that is not in this table fails the
 * tests, so that none can be added without saying who may use it.
 */

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
  admin("/tokens", "/tokens", { ...read, POST: 415 }),
  admin("/tokens/:tokenId", `/tokens/${id}`, { DELETE: 404 }),
  admin("/settings", "/settings", { ...read, PATCH: 415 }),
  admin("/events", "/events", read),
  // Whatever else stands below the API: first who asks, then that there is nothing.
  {
    ...{ path: "/api/v1/*", sample: "/api/v1/nothing/here" },
    ...{ stranger: refused, client: refused, administrator: { "*": 404 } },
  },
];
