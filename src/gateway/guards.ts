/** What the HTTP envelope of an MCP request must be, in the order in which it is checked. */
import { isJson } from "../body.ts";
import { arrivedThroughGatehouse } from "../egress/index.ts";
import { failure, type Failure } from "../errors.ts";
import type { Snapshot, TenantHost } from "../tenant/index.ts";

/**
 * A web page may call only from the tenant's own origin or one that an administrator allowed; anything else in `Origin` is a
 * page that rebinds DNS or rides on the user's network position.
 * @see MCP 2026-07-28 streamable HTTP, "Security & Endpoint"
 */
export function checkOrigin(headers: Headers, tenant: TenantHost, snapshot: Snapshot): Failure | undefined {
  const origin = headers.get("origin");
  if (origin === null || origin === tenant.origin || snapshot.settings.allowed_origins.includes(origin))
    return undefined;
  return failure("forbidden_origin", undefined, { reason: "origin" });
}

/** What is not POST belongs to sessions of the 2025 revisions. */
export const onlyPost = failure("method_not_allowed", undefined, { reason: "http_method", headers: { allow: "POST" } });

export function checkMethod({ method }: Request): Failure | undefined {
  return method === "POST" || method === "GET" || method === "DELETE" ? undefined : onlyPost;
}

/** A gateway that is its own upstream, however far around, would call itself until some limit breaks. */
export function checkLoop(headers: Headers): Failure | undefined {
  if (!arrivedThroughGatehouse(headers)) return undefined;
  return failure("bad_header", "This request comes from a Gatehouse already: its upstream must be the server itself", {
    reason: "loop",
  });
}

export function checkContentType(request: Request): Failure | undefined {
  const { headers } = request;
  if (!isJson(headers.get("content-type")) || headers.has("content-encoding")) {
    return failure("unsupported_media_type", undefined, { reason: "content_type" });
  }
  return undefined;
}

const acceptsType = (headers: Headers, type: string, group: string): boolean => {
  const accept = headers.get("accept");
  if (accept === null) return true;
  return accept.split(",").some((range) => {
    const [media = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    return [type, group, "*/*"].includes(media) && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
  });
};

export const acceptsStream = (headers: Headers): boolean => acceptsType(headers, "text/event-stream", "text/*");

export const acceptsJson = (headers: Headers): boolean => acceptsType(headers, "application/json", "application/*");

const notAcceptable = failure("not_acceptable", undefined, { reason: "accept" });

/** What accepts neither form of an answer is no MCP client. */
export const checkAccept = ({ headers }: Request): Failure | undefined =>
  acceptsStream(headers) || acceptsJson(headers) ? undefined : notAcceptable;

/**
 * Clients must accept both forms, since the server chooses. Those of the 2025 revisions often name one only, and get that one.
 * @see MCP 2026-07-28 streamable HTTP, "Sending Messages"
 */
export const checkAcceptsBoth = (headers: Headers): Failure | undefined =>
  acceptsStream(headers) && acceptsJson(headers) ? undefined : notAcceptable;
