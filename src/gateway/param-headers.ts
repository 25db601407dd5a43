/**
 * `Mcp-Param-*`: checked against the body on the way in, made anew from the body on the way out. Names that the tool does not
 * declare are forwarded as they came, which the protocol asks of intermediaries.
 * @see MCP 2026-07-28 streamable HTTP, "Custom Headers from Tool Parameters"
 */
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Json, type JsonObject, type Result } from "../ports.ts";
import { checkParamHeaders, paramHeadersFor } from "../protocol/index.ts";
import type { Server } from "../registry/index.ts";
import { catalogOf } from "./catalog/index.ts";
import { contextOf, type Exchange } from "./exchange.ts";
import { eraOf } from "./upstream/index.ts";

type Header = readonly [name: string, value: string];

const prefix = "mcp-param-";
const undeclared_count_max = 32;

export async function inboundParamHeaders(
  exchange: Exchange,
  server: Server,
  params: JsonObject,
  name: string | undefined,
): Promise<Result<readonly Header[], Failure>> {
  if (exchange.request.methodName !== "tools/call" || name === undefined) return ok([]);
  const context = contextOf(exchange);
  const era = await eraOf(context, server);
  if (!era.ok) return era;
  // Only servers of 2026-07-28 know these headers.
  if (era.value.era === "legacy") return ok([]);
  const index = await catalogOf(context, server, "tools/list");
  if (index.ok && index.value.mirrored.get(name) === null) {
    // P5: what an invalid annotation keeps out of lists is not to be called either.
    const shown = `Unknown tool: ${exchange.request.name ?? ""}`;
    return err(failure("unknown_name", shown, { reason: "param_header_annotation" }));
  }
  const isKnown = index.ok && (index.value.complete || index.value.mirrored.has(name));
  if (!isKnown && hasParamHeader(exchange.headers)) {
    // What cannot be compared with the body is not passed on: a header may say another thing than the call does.
    return err(
      failure(
        "upstream_refused",
        "The tools of the upstream server could not be read, so Mcp-Param headers could not be checked",
        {
          reason: "param_header_unchecked",
        },
      ),
    );
  }
  const declared = (index.ok ? index.value.mirrored.get(name) : undefined) ?? [];
  if (declared.length === 0 && !hasParamHeader(exchange.headers)) return ok([]);
  const given = argumentsOf(params["arguments"]);
  const mismatch = checkParamHeaders(declared, given, exchange.headers);
  if (mismatch !== undefined) return err(mismatch);

  const headers: Header[] = [...paramHeadersFor(declared, given)];
  const known = new Set(headers.map(([header]) => header.toLowerCase()));
  for (const [header, value] of exchange.headers) {
    if (!header.startsWith(prefix) || header.length === prefix.length || known.has(header)) continue;
    if (!/^[\x20-\x7e\t]*$/.test(value)) {
      return err(
        failure("header_mismatch", "A Mcp-Param header has invalid characters", { reason: "param_header_chars" }),
      );
    }
    headers.push([header, value]);
  }
  return headers.length > declared.length + undeclared_count_max
    ? err(failure("bad_header", "Too many Mcp-Param headers", { reason: "param_header_count" }))
    : ok(headers);
}

function hasParamHeader(headers: Headers): boolean {
  for (const name of headers.keys()) if (name.startsWith(prefix)) return true;
  return false;
}

const argumentsOf = (value: Json | undefined): JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
