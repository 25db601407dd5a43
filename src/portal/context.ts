/** What a page gets with its request. `app.ts` sets it. */
import type { Context } from "hono";
import type { CheckServer } from "../connections/index.ts";
import type { Visit, WebSession } from "../login/index.ts";
import type { PageKind } from "./headers.ts";

/** A request to the admin API as the person that is signed in, in this process: the same checks, the same events. */
export type CallAdmin = (
  session: WebSession,
  method: "GET" | "POST" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
) => Promise<{ readonly status: number; readonly body: unknown }>;

export interface PortalVariables {
  visit: Visit;
  callAdmin: CallAdmin;
  /** Tries a key at the server that it is for, before it is kept. */
  checkServer: CheckServer;
  /** What the page may do, see `headers.ts`; set where it is rendered. */
  pageKind: PageKind;
}

export interface PortalEnv {
  Bindings: Env;
  Variables: PortalVariables;
}

export type PortalContext = Context<PortalEnv>;
export type PortalHandler = (c: PortalContext) => Promise<Response> | Response;
