/** The servers that a person may choose from for a client: what the consent page lists, and what a token needs at least one of. */
import type { Visit } from "../../login/index.ts";
import { reach, type Reach } from "../../policy/index.ts";
import type { Server } from "../../registry/index.ts";
import { parseResource } from "../resource.ts";
import type { OAuthClient } from "../types.ts";

export interface Asker {
  readonly client: Pick<OAuthClient, "id" | "kind">;
  readonly user: { readonly groups: readonly string[] };
  /** URL of the MCP endpoint. */
  readonly resource: string;
}

/** In the order of slugs; at most one where the resource is that of a server. */
export function offeredServers(visit: Visit, { client, user, resource }: Asker): readonly Server[] {
  const { platform, tenant, snapshot } = visit;
  const asked = parseResource(tenant.origin, resource);
  if (asked === undefined) return [];
  const { mode } = platform.configuration;
  const groups = new Set(user.groups);
  const subject = { mode, client: registration(visit, client), user: { groups }, endpoint: asked.slug };
  return [...snapshot.servers.values()].filter(
    (server) =>
      (asked.slug === undefined || asked.slug === server.slug) && reach({ ...subject, server }).effect === "allow",
  );
}

/** A registered client that the snapshot does not know is switched off: it must not pass for one that registered itself. */
function registration({ snapshot }: Visit, { id, kind }: Asker["client"]): Reach["client"] {
  const known = snapshot.clients.get(id);
  if (known !== undefined) return known;
  return kind === "registered" ? { id, enabled: false, servers: new Set() } : undefined;
}
