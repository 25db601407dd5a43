/** A request to a server of 2026-07-28: one POST, no session. */
import { failure } from "../errors.ts";
import { implementation } from "../platform.ts";
import { err, ok, type JsonObject } from "../ports.ts";
import { encodeHeaderValue, encodeRequest, isObject, META, MODERN_VERSION } from "../protocol/index.ts";
import type { Target, UpstreamCall, UpstreamContext, UpstreamReply } from "./call.ts";
import { post, refusedStatus } from "./http.ts";
import { readMessages } from "./messages.ts";

/** Statuses that a modern server gives to JSON-RPC answers; anything else is not an answer. */
const answerStatuses = new Set([200, 400, 404]);

/** The `_meta` of requests that Gatehouse makes for itself: probes, catalogs. */
export const ownMeta: JsonObject = {
  [META.protocolVersion]: MODERN_VERSION,
  [META.clientInfo]: { ...implementation },
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

  const id = call.own === true ? context.platform.ports.random.uuid() : context.id;
  const params = context.era === "modern" ? call.params : { ...call.params, _meta: envelope(context, call.params) };
  const response = await post(context, server, {
    headers,
    body: encodeRequest(id, call.method, params),
    total_ms: call.total_ms,
    mayBeSilent: call.mayBeSilent === true,
  });
  if (!response.ok) return response;
  if (!answerStatuses.has(response.value.status)) return err(await refusedStatus(response.value));
  const messages = readMessages(response.value, id);
  try {
    for (let next = await messages.next(); ; next = await messages.next()) {
      if (next.done === true) {
        if (!next.value.ok) return next.value;
        const { response: answer, text, status } = next.value.value;
        const mayGoOn = call.own !== true;
        const size_chars = text.length;
        return ok({ era: "modern", response: answer, text: mayGoOn ? text : undefined, size_chars, status });
      }
      // A modern server sends no requests; one that does gets no answer (RX-07).
      if (next.value.kind === "notification") {
        const { kind, method, params: told = {}, text } = next.value;
        yield { kind, method, params: told, text };
      }
    }
  } finally {
    await messages.return(err(failure("upstream_invalid")));
  }
}

/**
 * The `_meta` on behalf of a client of 2025. What the client can do is not declared: a server's question could not be handed
 * on to it.
 * @see MCP 2026-07-28 basic, "_meta"
 */
function envelope(context: UpstreamContext, params: JsonObject): JsonObject {
  const given = isObject(params["_meta"]) ? params["_meta"] : {};
  const level = given[META.logLevel];
  return {
    ...Object.fromEntries(Object.entries(given).filter(([key]) => !key.startsWith("io.modelcontextprotocol/"))),
    [META.protocolVersion]: MODERN_VERSION,
    [META.clientInfo]: context.client.info,
    [META.clientCapabilities]: {},
    ...(level === undefined ? {} : { [META.logLevel]: level }),
  };
}
