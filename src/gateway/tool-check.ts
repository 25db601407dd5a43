/**
 * What the server's list of tools says about a call before it is made: whether the tool may be called at all, and which of its
 * parameters are mirrored into `Mcp-Param-*`. Those headers are checked against the body on the way in and made anew from it on
 * the way out. Names that the tool does not declare are forwarded as they came, which the protocol asks of intermediaries.
 * @see MCP 2026-07-28 streamable HTTP, "Custom Headers from Tool Parameters"
 */
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Json, type JsonObject, type Result } from "../ports.ts";
import { checkParamHeaders, paramHeadersFor } from "../protocol/index.ts";
import type { Server } from "../registry/index.ts";
import { eraOf } from "../upstream/index.ts";
import { catalogOf, knownCatalog, type Catalog } from "./catalog/index.ts";
import { contextOf, type Exchange } from "./exchange.ts";

type Header = readonly [name: string, value: string];

const prefix = "mcp-param-";
const undeclared_count_max = 32;

/**
 * @returns the headers for the server; `unknown_name` for a tool that is kept out of lists (P5). Where the list cannot be had, a
 *   call without such headers goes on.
 */
export async function checkTool(
  exchange: Exchange,
  server: Server,
  params: JsonObject,
  name: string | undefined,
): Promise<Result<readonly Header[], Failure>> {
  if (exchange.request.methodName !== "tools/call" || name === undefined) return ok([]);
  const context = contextOf(exchange);
  const era = await eraOf(context, server);
  if (!era.ok) return era;
  // Only servers of 2026-07-28 know these headers; of others an old list is good enough.
  const readTools = era.value.era === "modern" ? catalogOf : knownCatalog;
  const index = await readTools(context, server, "tools/list");
  if (index.ok && isKeptOut(exchange, index.value, name)) {
    const shown = `Unknown tool: ${exchange.request.name ?? ""}`;
    return err(failure("unknown_name", shown, { reason: "not_listed" }));
  }
  if (era.value.era === "legacy") return ok([]);
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

/** P5: what is kept out of the list of this endpoint is not to be called either. */
function isKeptOut({ endpoint }: Exchange, tools: Catalog, name: string): boolean {
  return endpoint.slug === undefined ? tools.refused.has(name) : tools.mirrored.get(name) === null;
}

function hasParamHeader(headers: Headers): boolean {
  for (const name of headers.keys()) if (name.startsWith(prefix)) return true;
  return false;
}

const argumentsOf = (value: Json | undefined): JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
