/** The table of routes: the app serves it and `docs/openapi.json` is generated from it. */
import { agentRoutes } from "./agents.ts";
import { clientSecretRoutes } from "./client-secrets.ts";
import { clientTokenRoutes } from "./client-tokens.ts";
import { clientRoutes } from "./clients.ts";
import { connectionRoutes } from "./connections.ts";
import { credentialRoutes } from "./credentials.ts";
import { eventRoutes } from "./events.ts";
import { grantRoutes } from "./grants.ts";
import { identityProviderRoutes } from "./identity-providers.ts";
import { redirectUriRoutes } from "./redirect-uris.ts";
import type { Route } from "./route.ts";
import { serverRoutes } from "./servers.ts";
import { settingsRoutes } from "./settings.ts";
import { setupRoutes } from "./setup.ts";
import { tokenRoutes } from "./tokens.ts";
import { userRoutes } from "./users.ts";
import { vaultRoutes } from "./vault.ts";

export const routes: readonly Route[] = [
  ...setupRoutes,
  ...serverRoutes,
  ...clientRoutes,
  ...clientTokenRoutes,
  ...clientSecretRoutes,
  ...tokenRoutes,
  ...identityProviderRoutes,
  ...userRoutes,
  ...redirectUriRoutes,
  ...grantRoutes,
  ...agentRoutes,
  ...connectionRoutes,
  ...credentialRoutes,
  ...vaultRoutes,
  ...settingsRoutes,
  ...eventRoutes,
];
