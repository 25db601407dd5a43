/** The table of routes: the app serves it and `docs/openapi.json` is generated from it. */
import { clientTokenRoutes } from "./client-tokens.ts";
import { clientRoutes } from "./clients.ts";
import { eventRoutes } from "./events.ts";
import type { Route } from "./route.ts";
import { serverRoutes } from "./servers.ts";
import { settingsRoutes } from "./settings.ts";
import { setupRoutes } from "./setup.ts";
import { tokenRoutes } from "./tokens.ts";

export const routes: readonly Route[] = [
  ...setupRoutes,
  ...serverRoutes,
  ...clientRoutes,
  ...clientTokenRoutes,
  ...tokenRoutes,
  ...settingsRoutes,
  ...eventRoutes,
];
