/** How a server is to be after a request: what all checks judge, and what is stored. */
import type { Credential, HeaderSecret, StoredServer } from "../registry/index.ts";
import type { CreateServer, UpdateServer } from "./server-fields.ts";

/** The part of the configuration that secrets and checks depend on. */
export type ServerSettings = Pick<
  StoredServer,
  "url" | "authentication" | "outbound_headers" | "agent_authentication" | "inbound_headers"
>;

export interface ServerWish extends ServerSettings {
  readonly slug: string;
  /** null removes the stored one; undefined leaves it. */
  readonly credential: Credential | null | undefined;
  /** The same for each header. */
  readonly header_secrets: Readonly<Record<string, HeaderSecret | null>>;
}

export const wishOfCreation = (body: CreateServer): ServerWish => ({
  slug: body.slug,
  url: body.url,
  authentication: body.authentication,
  outbound_headers: body.outbound_headers,
  agent_authentication: body.agent_authentication,
  inbound_headers: body.inbound_headers,
  credential: body.credential,
  header_secrets: body.header_secrets ?? {},
});

export const wishOfChange = (server: StoredServer, body: UpdateServer): ServerWish => ({
  slug: server.slug,
  url: body.url ?? server.url,
  authentication: body.authentication ?? server.authentication,
  outbound_headers: body.outbound_headers ?? server.outbound_headers,
  agent_authentication: body.agent_authentication ?? server.agent_authentication,
  inbound_headers: body.inbound_headers ?? server.inbound_headers,
  credential: body.credential,
  header_secrets: body.header_secrets ?? {},
});

/** Members whose change is judged. Without one of them, rules that have become stricter do not stand in the way. */
const judged = ["url", "authentication", "outbound_headers", "agent_authentication", "inbound_headers"] as const;
const sealed = ["credential", "header_secrets"] as const;

export const isJudged = (given: ReadonlySet<string>): boolean =>
  [...judged, ...sealed].some((member) => given.has(member));
