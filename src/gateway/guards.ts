/** What the HTTP envelope of an MCP request must be, in the order in which it is checked. */
import { isJson } from "../body.ts";
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

/** 2026-07-28 has no GET stream and no session to DELETE. */
export function checkMethod(request: Request): Failure | undefined {
  if (request.method === "POST") return undefined;
  return failure("method_not_allowed", undefined, { reason: "http_method", headers: { allow: "POST" } });
}

export function checkContentType(request: Request): Failure | undefined {
  const { headers } = request;
  if (!isJson(headers.get("content-type")) || headers.has("content-encoding")) {
    return failure("unsupported_media_type", undefined, { reason: "content_type" });
  }
  return undefined;
}

/** Clients must accept both forms of an answer, since the server chooses. A missing header accepts anything. */
export function checkAccept(request: Request): Failure | undefined {
  const accept = request.headers.get("accept");
  if (accept === null) return undefined;
  const ranges = accept.split(",").map((range) => range.split(";")[0]?.trim().toLowerCase() ?? "");
  const accepts = (type: string, group: string): boolean =>
    ranges.includes(type) || ranges.includes(group) || ranges.includes("*/*");
  return accepts("application/json", "application/*") && accepts("text/event-stream", "text/*")
    ? undefined
    : failure("not_acceptable", undefined, { reason: "accept" });
}
