/** An upstream MCP server as the rest of the program sees it. */
import * as z from "zod";
import type { servers } from "../db/index.ts";
import { limits } from "../limits.ts";
import { accessSchema, type Access } from "../policy/index.ts";
import { agentAuthenticationSchema, type AgentAuthentication } from "./agent-authentication.ts";
import { authenticationSchema, type Authentication } from "./authentication.ts";
import { inboundHeadersSchema, type InboundHeaders } from "./inbound-headers.ts";
import { outboundHeadersSchema, type OutboundHeader } from "./outbound-headers.ts";

/**
 * The slug is the path segment of `/mcp/{slug}` and the prefix of `{slug}__{tool}`. It has no underscore, so the first
 * `__` of a prefixed name always ends the slug.
 */
export const slugSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, "1 to 32 of a-z, 0-9 and -, not at the ends");

export const timeoutSchema = z.int().min(1_000).max(limits.upstreamIdle_ms_max);

export interface Server {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly url: string;
  readonly enabled: boolean;
  readonly timeout_ms: number;
  readonly authentication: Authentication;
  /** One JWE, opened by `vault/` only; null while none is stored. */
  readonly credential: string | null;
  readonly outbound_headers: readonly OutboundHeader[];
  /** One JWE, as `credential`. */
  readonly header_secrets: string | null;
  readonly agent_authentication: AgentAuthentication;
  readonly inbound_headers: InboundHeaders;
  readonly revision: number;
  /** What was pinned for it holds while this stays. */
  readonly authentication_revision: number;
  /** Which people may reach it. */
  readonly access: Access;
}

/** A stored row, parsed. @throws when one of its JSON columns is not readable */
export function serverFromRow(row: typeof servers.$inferSelect): Server {
  return {
    id: row.id,
    slug: row.slug,
    name: row.name,
    url: row.url,
    enabled: row.enabled,
    timeout_ms: row.timeout_ms,
    authentication: authenticationSchema.parse(JSON.parse(row.authentication)),
    credential: row.credential,
    outbound_headers: outboundHeadersSchema.parse(JSON.parse(row.outbound_headers)),
    header_secrets: row.header_secrets,
    agent_authentication: agentAuthenticationSchema.parse(JSON.parse(row.agent_authentication)),
    inbound_headers: inboundHeadersSchema.parse(JSON.parse(row.inbound_headers)),
    revision: row.revision,
    authentication_revision: row.authentication_revision,
    access: accessSchema.parse(JSON.parse(row.access)),
  };
}
