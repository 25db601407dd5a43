/**
 * The session id that a client of the 2025 revisions holds: a sealed handle with everything that a plain call needs, so that
 * `initialize` stores nothing and a call wakes no object. It proves nothing about who calls: it is bound to the principal
 * that admission found.
 * @see MCP 2025-11-25 transports, "Session Management"; security best practices, "Session Hijacking"
 */
import { base64url } from "jose";
import * as z from "zod";
import { BoundedMap } from "../bounded-map.ts";
import { limits } from "../limits.ts";
import type { Clock, JsonObject, Random } from "../ports.ts";
import type { Vault } from "../vault/index.ts";
import { jsonObject } from "./stored.ts";
import type { ClientSession, SessionContext } from "./types.ts";

const purpose = "session";
const owner_bytes = 16;

const content = z.strictObject({
  principal: z.string(),
  endpoint: z.string(),
  owner: z.string().startsWith("session:"),
  version: z.string(),
  client: z.strictObject({ name: z.string(), version: z.string().exactOptional() }).exactOptional(),
  capabilities: jsonObject,
  expires_at: z.int(),
});

interface Opened {
  readonly principal_id: string;
  readonly endpoint_path: string;
  readonly session: ClientSession;
}

/** By tenant and id. What is in an id never changes, so only the bound ends an entry. */
const openedIds = new BoundedMap<Opened>(limits.openSessionIds_count);

/** Who is granted the session, and where. */
export interface SessionGrant {
  readonly principal_id: string;
  readonly endpoint_path: string;
  readonly session: ClientSession;
}

/** The key of a new session's state: 128 random bits (MC-32). */
export const newOwner = (random: Random): string => `session:${base64url.encode(random.bytes(owner_bytes))}`;

/**
 * The value of `Mcp-Session-Id`, of visible ASCII characters. A client that declares more than fits in a header gets a
 * session in which it has said nothing of itself.
 */
export async function mintSessionId(
  context: SessionContext & { readonly vault: Vault },
  grant: SessionGrant,
): Promise<string> {
  const { clientInfo, clientCapabilities } = grant.session;
  const declared = {
    ...(clientInfo === undefined ? {} : { client: { ...clientInfo } }),
    capabilities: clientCapabilities,
  };
  const id = await seal(context, grant, declared);
  return id.length <= limits.sessionId_chars ? id : seal(context, grant, { capabilities: {} });
}

async function seal(
  { vault, tenant }: SessionContext & { readonly vault: Vault },
  { principal_id, endpoint_path, session: { owner, version, expires_at } }: SessionGrant,
  declared: JsonObject,
): Promise<string> {
  const payload = { principal: principal_id, endpoint: endpoint_path, owner, version, expires_at, ...declared };
  return vault.sealHandle(purpose, tenant.id, payload, expires_at);
}

/**
 * @param tenant id of the tenant that the request came to
 * @param header `Mcp-Session-Id` as it came
 * @returns undefined for every defect alike: not ours, expired, or of another tenant, principal or endpoint (MC-31)
 */
export async function openSessionId(
  vault: Vault,
  clock: Pick<Clock, "now">,
  tenant: string,
  principal_id: string,
  endpoint_path: string,
  header: string,
): Promise<ClientSession | undefined> {
  if (header.length > limits.sessionId_chars) return undefined;
  const key = `${tenant}\n${header}`;
  const known = openedIds.get(key);
  const opened = known ?? (await open(vault, tenant, header));
  if (opened === undefined) return undefined;
  if (known === undefined) openedIds.set(key, opened);
  const valid =
    opened.principal_id === principal_id &&
    opened.endpoint_path === endpoint_path &&
    clock.now() < opened.session.expires_at;
  return valid ? opened.session : undefined;
}

async function open(vault: Vault, tenant: string, header: string): Promise<Opened | undefined> {
  const handle = await vault.openHandle(purpose, tenant, header);
  const parsed = handle.ok ? content.safeParse(handle.value) : undefined;
  if (parsed?.success !== true) return undefined;
  const { principal, endpoint, owner, version, client, capabilities, expires_at } = parsed.data;
  const clientInfo = client === undefined ? {} : { clientInfo: client };
  return {
    principal_id: principal,
    endpoint_path: endpoint,
    session: { owner, version, ...clientInfo, clientCapabilities: capabilities, expires_at },
  };
}
