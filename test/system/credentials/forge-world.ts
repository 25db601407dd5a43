/** The usual case: one authorization server, with the forge behind it. */
import {
  startAuthorizationServer,
  type AuthorizationServer,
  type AuthorizationServerOptions,
} from "../support/authorization-server.ts";
import { oauthGuard, type OAuthOptions } from "../support/guards.ts";
import { startProtectedServer, type ProtectedServer } from "../support/protected-server.ts";
import type { SiteOptions } from "../people/site.ts";
import { startWorld, type World } from "./world.ts";

export interface ForgePeers extends Readonly<Record<string, AuthorizationServer | ProtectedServer>> {
  readonly authorization: AuthorizationServer;
  readonly server: ProtectedServer;
}

export interface ForgeOptions {
  /** @param origin of Gatehouse */
  readonly authorization?: (origin: string) => AuthorizationServerOptions;
  readonly guard?: OAuthOptions;
}

type Start = Pick<SiteOptions, "start">;

/** Clients register themselves, unless the options say how it is instead. */
export async function startForge(origin: string, options: ForgeOptions = {}): Promise<ForgePeers> {
  const resources: string[] = [];
  const authorization = await startAuthorizationServer({
    resources: () => resources,
    scopes: ["read", "notes:write"],
    registration: true,
    ...options.authorization?.(origin),
  });
  const server = await startProtectedServer({
    guard: oauthGuard(authorization, options.guard),
    ...(options.guard?.metadata === false ? {} : { issuer: authorization.issuer }),
    scopes_supported: ["read"],
  });
  resources.push(server.url.href);
  return { authorization, server };
}

export const startForgeWorld = (options: ForgeOptions & Start = {}): Promise<World<ForgePeers>> =>
  startWorld((origin) => startForge(origin, options), options);
