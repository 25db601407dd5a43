/** The Hono app of the admin API, built from the table of routes. The caller sets `c.var.admin` before. */
import { Hono, type Context } from "hono";
import openapi from "../../docs/openapi.json" with { type: "json" };
import { failure } from "../errors.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { handle, handleUnrouted, type Incoming } from "./pipeline.ts";
import type { Method, Route } from "./route.ts";
import { routes } from "./routes.ts";

type AdminEnv = { Variables: { admin: AdminDependencies } };

const openapiPath = "/openapi.json";

export function createAdminApi(): Hono<AdminEnv> {
  const api = new Hono<AdminEnv>();
  // The description is public in the source code as well, and holds nothing of a tenant.
  api.get(openapiPath, () => Response.json(openapi));
  for (const route of routes) api.on(route.method, route.path, (context) => handle(route, incoming(context)));

  for (const [path, methods] of methodsByPath([...routes, { path: openapiPath, method: "GET" }])) {
    const allow = methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])).join(", ");
    const refused = failure("method_not_allowed", undefined, { headers: { allow } });
    api.all(path, (context) => handleUnrouted(refused, incoming(context)));
  }
  const notFound = failure("not_found", "There is nothing at this path. GET /api/v1/openapi.json lists what there is.");
  api.all("*", (context) => handleUnrouted(notFound, incoming(context)));
  return api;
}

function incoming(context: Context<AdminEnv>): Incoming {
  return { admin: context.var.admin, request: context.req.raw, params: context.req.param() };
}

function methodsByPath(served: readonly Pick<Route, "path" | "method">[]): Map<string, Method[]> {
  const byPath = new Map<string, Method[]>();
  for (const { path, method } of served) byPath.set(path, [...(byPath.get(path) ?? []), method]);
  return byPath;
}
