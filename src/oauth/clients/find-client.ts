/** From a client id to the client, whichever way it became known to the tenant. */
import { and, eq, isNotNull } from "drizzle-orm";
import { agents, clients, openDatabase } from "../../db/index.ts";
import type { Visit } from "../../login/index.ts";
import { limits } from "../../limits.ts";
import { err, ok, type Result } from "../../ports.ts";
import type { StopReason } from "../stop.ts";
import type { OAuthClient, Stop } from "../types.ts";
import { cleanName } from "./client-name.ts";
import { findDocumentClient, keysOf } from "./document.ts";
import { isDocumentId } from "./document-url.ts";
import { dynamicClientOf, selectDynamicClient } from "./dynamic.ts";
import { registrationMetadataSchema } from "./registration.ts";

export interface ClientRefusal {
  readonly stop: StopReason;
  /** Stable, for log and events. */
  readonly reason: string;
}

const unknown: ClientRefusal = { stop: "client_unknown", reason: "client_unknown" };
const blocked: ClientRefusal = { stop: "client_blocked", reason: "client_blocked" };

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** @returns the client, or why an authorization of it ends on a page */
export async function findClient(visit: Visit, client_id: string): Promise<Result<OAuthClient, Stop>> {
  const found = await resolveClient(visit, client_id);
  return found.ok ? found : err({ reason: found.error.stop, client_id });
}

/** The same, with the reason that events name. */
export async function resolveClient(visit: Visit, client_id: string): Promise<Result<OAuthClient, ClientRefusal>> {
  if (client_id.length > limits.authorizationParameter_chars) return err(unknown);
  return isDocumentId(client_id) ? documentClient(visit, client_id) : storedClient(visit, client_id);
}

/** The switch of the administrator is asked first: a blocked client causes no request to its host. */
async function documentClient(visit: Visit, client_id: string): Promise<Result<OAuthClient, ClientRefusal>> {
  const [agent] = await selectDisabled(visit, client_id);
  return agent === undefined ? findDocumentClient(visit, client_id) : err(blocked);
}

/** One batch whatever there is, so that an id that exists takes no longer than one that does not. */
async function storedClient(visit: Visit, client_id: string): Promise<Result<OAuthClient, ClientRefusal>> {
  const { platform, tenant } = visit;
  const database = openDatabase(platform.bindings.DB);
  const id = uuid.test(client_id) ? client_id : "";
  const [[registered], [dynamic], [disabled]] = await database.batch([
    database
      .select()
      .from(clients)
      .where(
        and(eq(clients.tenant_id, tenant.id), eq(clients.id, id), eq(clients.enabled, true), isNotNull(clients.oauth)),
      ),
    selectDynamicClient(database, tenant.id, id, platform.ports.clock.now()),
    selectDisabled(visit, id),
  ]);
  if (registered !== undefined) return ok(registeredClientOf(registered));
  if (dynamic === undefined || !visit.snapshot.settings.registration.dynamic) return err(unknown);
  return disabled === undefined ? ok(dynamicClientOf(dynamic)) : err(blocked);
}

function selectDisabled({ platform, tenant }: Visit, id: string) {
  return openDatabase(platform.bindings.DB)
    .select({ id: agents.id })
    .from(agents)
    .where(and(eq(agents.tenant_id, tenant.id), eq(agents.id, id), isNotNull(agents.disabled_at)));
}

function registeredClientOf(row: typeof clients.$inferSelect): OAuthClient {
  const metadata = registrationMetadataSchema.parse(JSON.parse(row.oauth ?? ""));
  return {
    id: row.id,
    kind: "registered",
    name: cleanName(row.name),
    domain: undefined,
    redirect_uris: metadata.redirect_uris,
    authentication: metadata.authentication,
    keys: metadata.authentication === "private_key_jwt" ? keysOf(metadata.jwks, metadata.jwks_uri) : undefined,
    grant_types: new Set(metadata.grant_types),
    // A public client is whoever says so: its people are always asked.
    pre_approved: metadata.pre_approved && metadata.authentication !== "none",
    workloads: metadata.workloads,
  };
}
