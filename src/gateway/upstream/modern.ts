/** A request to a server of 2026-07-28: one POST, no session. */
import { failure } from "../../errors.ts";
import { err, ok, type JsonObject } from "../../ports.ts";
import { encodeHeaderValue, encodeRequest, META, MODERN_VERSION } from "../../protocol/index.ts";
import type { Target, UpstreamCall, UpstreamContext, UpstreamReply } from "./call.ts";
import { post } from "./http.ts";
import { readMessages } from "./messages.ts";

/** Statuses that a modern server gives to JSON-RPC answers; anything else is not an answer. */
const answerStatuses = new Set([200, 400, 404]);

/** The `_meta` of requests that Gatehouse makes for itself: probes, catalogs. */
export const ownMeta: JsonObject = {
  [META.protocolVersion]: MODERN_VERSION,
  [META.clientInfo]: { name: "gatehouse", version: "0.1.0" },
  [META.clientCapabilities]: {},
};

/** @see MCP 2026-07-28 streamable HTTP, "Request Metadata" */
export async function* modernRequest(context: UpstreamContext, server: Target, call: UpstreamCall): UpstreamReply {
  const headers: [string, string][] = [
    ["mcp-protocol-version", MODERN_VERSION],
    ["mcp-method", call.method],
  ];
  if (call.name !== undefined) headers.push(["mcp-name", encodeHeaderValue(call.name)]);
  for (const [name, value] of call.paramHeaders ?? []) headers.push([name, value]);

  const response = await post(context, server, {
    headers,
    body: encodeRequest(context.id, call.method, call.params),
    total_ms: call.total_ms,
    mayBeSilent: call.mayBeSilent === true,
  });
  if (!response.ok) return response;
  if (!answerStatuses.has(response.value.status)) {
    await response.value.discard();
    return err(failure("upstream_refused", undefined, { reason: `upstream_http_${response.value.status}` }));
  }
  const messages = readMessages(response.value, context.id);
  try {
    for (let next = await messages.next(); ; next = await messages.next()) {
      if (next.done === true)
        return next.value.ok ? ok({ ...next.value.value, size_chars: next.value.value.text.length }) : next.value;
      // A modern server sends no requests; one that does gets no answer (RX-07).
      if (next.value.kind === "notification") {
        yield { method: next.value.method, params: next.value.params ?? {}, text: next.value.text };
      }
    }
  } finally {
    await messages.return(err(failure("upstream_invalid")));
  }
}
