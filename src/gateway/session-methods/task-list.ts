/**
 * `tasks/list` of the aggregate: server after server, a page of one of them at a time, under a cursor that is bound to its owner.
 * @see MCP 2025-11-25 tasks, "Listing Tasks"
 */
import { failure, type Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { err, ok, type JsonObject, type Result } from "../../ports.ts";
import { encodeResponse, isObject } from "../../protocol/index.ts";
import { askUpstream, eraOf } from "../../upstream/index.ts";
import { contextOf, type Exchange, type Permitted } from "../exchange.ts";
import { permittedServers } from "../permit.ts";
import { failed, type Reply } from "../reply.ts";
import { keepOwnTasks, toClientTasks } from "../tasks.ts";

const purpose = "task-cursor";

interface Position {
  readonly slug: string;
  readonly cursor?: string;
}

export async function listTasks(exchange: Exchange): Promise<Reply> {
  const { id, params } = exchange.request;
  const position = await openPosition(exchange, params["cursor"]);
  if (!position.ok) return failed(position.error, id);
  const from = position.value?.slug ?? "";
  const servers = permittedServers(exchange).filter(({ server }) => server.slug >= from);
  const until = exchange.platform.ports.clock.now() + limits.listTotal_ms;
  for (const [at, permitted] of servers.entries()) {
    // The rest is for the next page: one that hangs costs its own time, and not that of all.
    if (exchange.platform.ports.clock.now() >= until)
      return answer(exchange, { tasks: [] }, { slug: permitted.server.slug });
    const cursor = permitted.server.slug === from ? position.value?.cursor : undefined;
    const page = await pageOf(exchange, permitted, cursor);
    if (page === undefined) continue;
    const next = servers[at + 1];
    const rest =
      page.cursor === undefined
        ? next && { slug: next.server.slug }
        : { slug: permitted.server.slug, cursor: page.cursor };
    return answer(exchange, page.result, rest);
  }
  return answer(exchange, { tasks: [] }, undefined);
}

async function answer(exchange: Exchange, result: JsonObject, rest: Position | undefined): Promise<Reply> {
  const { nextCursor: _, ...page } = result;
  const complete = rest === undefined ? page : { ...page, nextCursor: await sealPosition(exchange, rest) };
  const body = encodeResponse(exchange.request.id, { result: complete });
  return { kind: "answer", status: 200, body, outcome: { status: "ok" } };
}

/** @returns undefined for a server that has no tasks, or cannot tell */
async function pageOf(
  exchange: Exchange,
  { server }: Permitted,
  cursor: string | undefined,
): Promise<{ result: JsonObject; cursor: string | undefined } | undefined> {
  const context = contextOf(exchange);
  const verdict = await eraOf(context, server);
  const offered = verdict.ok && verdict.value.era === "legacy" ? verdict.value.capabilities["tasks"] : undefined;
  if (!isObject(offered) || !isObject(offered["list"])) return undefined;
  const answered = await askUpstream(context, server, {
    method: "tasks/list",
    params: cursor === undefined ? {} : { cursor },
    own: true,
    total_ms: limits.listPerUpstream_ms,
  });
  if (!answered.ok || answered.value.response.kind === "error") return undefined;
  const { result } = answered.value.response;
  if (!Array.isArray(result["tasks"])) return undefined;
  await keepOwnTasks(exchange, server.id, result);
  await toClientTasks(exchange, server.id, result, false);
  return { result, cursor: typeof result["nextCursor"] === "string" ? result["nextCursor"] : undefined };
}

function sealPosition({ vault, tenant, principal, endpoint, platform }: Exchange, position: Position): Promise<string> {
  const payload = { principal: principal.id, endpoint: endpoint.path, ...position };
  return vault.sealHandle(purpose, tenant.id, payload, platform.ports.clock.now() + limits.listCursor_ms);
}

async function openPosition(exchange: Exchange, cursor: unknown): Promise<Result<Position | undefined, Failure>> {
  if (cursor === undefined) return ok(undefined);
  const foreign = failure("invalid_params", "The cursor is not valid", { reason: "foreign_cursor" });
  const opened = await exchange.vault.openHandle(purpose, exchange.tenant.id, String(cursor));
  if (!opened.ok) return err(foreign);
  const { principal, endpoint, slug, cursor: own } = opened.value;
  if (principal !== exchange.principal.id || endpoint !== exchange.endpoint.path || typeof slug !== "string") {
    return err(foreign);
  }
  return ok({ slug, ...(typeof own === "string" ? { cursor: own } : {}) });
}
