/** The admin API within the program: pages change things through the same routes, checks and events as everybody else. */
import { Hono } from "hono";
import { createAdminApi } from "./api.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { isMutating, type Method } from "./route.ts";

type CallEnv = { Bindings: { admin: AdminDependencies }; Variables: { admin: AdminDependencies } };

export interface AdminAnswer {
  readonly status: number;
  /** JSON; undefined where the answer has none (204). */
  readonly body: unknown;
}

const inProcess = new Hono<CallEnv>()
  .use(async (c, next) => {
    c.set("admin", c.env.admin);
    await next();
  })
  .route("/api/v1", createAdminApi());

/**
 * A request to the admin API by the principal that `admin` names. The caller has decided that this person may come here at all: a
 * member may not, whatever it asks for.
 * @param path below `/api/v1`, with its query
 * @param as `readonly`: an auditor, whose changes are refused with 403
 */
export async function callAdmin(
  admin: AdminDependencies,
  method: Method,
  path: string,
  body?: unknown,
  as: { readonly readonly?: boolean } = {},
): Promise<AdminAnswer> {
  const caller = { ...admin, readonly: admin.readonly === true || as.readonly === true };
  const init = {
    method,
    ...(isMutating(method) ? { headers: { "content-type": "application/json" } } : {}),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
  const response = await inProcess.request(`${admin.origin}/api/v1${path}`, init, { admin: caller });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}
