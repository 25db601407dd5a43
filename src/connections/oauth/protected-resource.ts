/** What a server publishes about itself: who issues tokens for it, and under which name. */
import * as z from "zod";
import { limits } from "../../limits.ts";
import { ok, type JsonObject, type Result } from "../../ports.ts";
import type { Base, Challenge, TokenFailure } from "../types.ts";
import { endpoint } from "./endpoints.ts";
import { wrong } from "./failures.ts";
import { scopesOf, wordsSchema } from "./lists.ts";
import { look, lookIn } from "./look.ts";
import { resourceMetadataUrls } from "./well-known.ts";

export interface ProtectedResource {
  /** As published: `resource` of RFC 8707 is sent byte for byte like this. */
  readonly resource: string;
  readonly authorization_servers: readonly string[];
  readonly scopes_supported?: readonly string[];
}

export const protectedResourceSchema = z.object({
  resource: z.string().min(1).max(limits.upstreamUrl_chars),
  authorization_servers: wordsSchema,
  scopes_supported: wordsSchema,
});

/** Who is asked about. */
export interface Resource {
  readonly url: string;
  /** `resource` that an administrator set; then a document may call the server so as well. */
  readonly configured?: string | null | undefined;
}

/**
 * At the URL that the challenge names, else at the well-known places. A URL that may not be called, or is relative, counts as none:
 * the server's own origin has the last word anyway.
 * @returns undefined when the server publishes nothing
 * @see RFC 9728 sections 3 and 5; MCP 2026-07-28 authorization server discovery
 */
export async function findProtectedResource(
  base: Base,
  resource: Resource,
  challenge: Challenge | undefined,
): Promise<Result<ProtectedResource | undefined, TokenFailure>> {
  const named = challenge?.resource_metadata === undefined ? undefined : endpoint(base, challenge.resource_metadata);
  if (named !== undefined) {
    const looked = await look(base, named, "resource");
    if (!looked.ok) return looked;
    if (looked.value !== undefined) return readProtectedResource(looked.value, resource);
  }
  const looked = await lookIn(base, resourceMetadataUrls(resource.url), "resource");
  if (!looked.ok) return looked;
  return looked.value === undefined ? ok(undefined) : readProtectedResource(looked.value, resource);
}

export function readProtectedResource(
  json: JsonObject,
  { url, configured }: Resource,
): Result<ProtectedResource, TokenFailure> {
  const parsed = protectedResourceSchema.safeParse(json);
  if (!parsed.success) return wrong("resource_metadata_invalid");
  const { resource, authorization_servers, scopes_supported } = parsed.data;
  if (resource !== configured && !speaksFor(resource, url)) return wrong("resource_mismatch");
  return ok({
    resource,
    authorization_servers: authorization_servers ?? [],
    ...(scopes_supported === undefined || scopes_supported === null
      ? {}
      : { scopes_supported: scopesOf(scopes_supported) }),
  });
}

/**
 * Whether a resource of this name is, or holds, what is at the URL: the same origin, and the path or one above it. RFC 9728 section 3.3
 * wants it exact; servers whose document speaks for all of their origin are common, and MCP clients take them.
 */
export function speaksFor(resource: string, url: string): boolean {
  const named = URL.parse(resource);
  const asked = new URL(url);
  if (named === null || named.origin !== asked.origin || resource.includes("#")) return false;
  if (named.username !== "" || named.password !== "") return false;
  if (named.search !== "" && named.search !== asked.search) return false;
  const within = (path: string): string => (path.endsWith("/") ? path : `${path}/`);
  return within(asked.pathname).startsWith(within(named.pathname));
}

/**
 * The name of a server that does not publish one: its URL without query, which may hold a key.
 * @see MCP 2026-07-28 authorization, "Canonical Server URI"; RFC 8707 section 2
 */
export function canonicalResource(url: string): string {
  const { origin, pathname } = new URL(url);
  return pathname === "/" ? origin : `${origin}${pathname}`;
}
