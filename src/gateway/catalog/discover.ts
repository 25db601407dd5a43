/**
 * What an endpoint offers this principal: only what Gatehouse really relays. `initialize` says it to clients of the 2025
 * revisions, `server/discover` to others.
 * @see MCP 2026-07-28 server/discover; MCP 2025-11-25 lifecycle, "Initialization"
 */
import { failure, type Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { implementation } from "../../platform.ts";
import { err, ok, type JsonObject, type Result } from "../../ports.ts";
import { encodeResponse, META, MODERN_VERSION } from "../../protocol/index.ts";
import type { Server } from "../../registry/index.ts";
import { eraOf, type Verdict } from "../../upstream/index.ts";
import { withDeadline } from "../deadline.ts";
import { contextOf, type Exchange, type Permitted } from "../exchange.ts";
import { permittedServers } from "../permit.ts";
import { failed, type Reply } from "../reply.ts";
import { outcomeWord } from "./ask.ts";
import { honoured, mergeCapabilities } from "./capabilities.ts";
import { mergeInstructions } from "./instructions.ts";
import { outcomesKey } from "./lists.ts";
import { unlessResting } from "./resting.ts";

export interface Description {
  readonly capabilities: JsonObject;
  readonly instructions: string | undefined;
  /** On the aggregate what each server did. */
  readonly outcomes: Readonly<Record<string, string>> | undefined;
}

export const serverInfo = { ...implementation, title: "Gatehouse" };

/** One server's, with its own instructions. */
export async function describeServer(exchange: Exchange, { server }: Permitted): Promise<Result<Description, Failure>> {
  const verdict = await verdictOf(exchange, server);
  if (!verdict.ok) return isUnlinked(verdict.error) ? ok(unlinked) : err(verdict.error);
  const capabilities = honoured(verdict.value, exchange.request);
  return ok({ capabilities, instructions: verdict.value.instructions, outcomes: undefined });
}

/** What any of the permitted servers offers. One that does not answer is left out, and named. */
export async function describeAggregate(exchange: Exchange): Promise<Description> {
  const found = await Promise.all(
    permittedServers(exchange).map(async ({ server }) => ({ server, verdict: await verdictOf(exchange, server) })),
  );
  const answered = found.flatMap(({ server, verdict }) => (verdict.ok ? [{ server, verdict: verdict.value }] : []));
  const parts = answered.map(({ server, verdict }) => ({ server, instructions: verdict.instructions }));
  const waits = found.some(({ verdict }) => !verdict.ok && isUnlinked(verdict.error));
  return {
    capabilities: answered
      .map(({ verdict }) => honoured(verdict, exchange.request))
      .reduce<JsonObject>(mergeCapabilities, waits ? unlinked.capabilities : {}),
    instructions: exchange.snapshot.settings.instructions === "omit" ? undefined : mergeInstructions(parts),
    outcomes: Object.fromEntries(
      found.map(({ server, verdict }) => [server.slug, verdict.ok ? "ok" : outcomeWord(verdict.error)]),
    ),
  };
}

const isUnlinked = ({ code }: Failure): boolean => code === "link_needed";

/** A server that cannot be asked before the person connects an account offers the tool that leads there. */
const unlinked = { capabilities: { tools: {} }, instructions: undefined, outcomes: undefined } as const;

function verdictOf(exchange: Exchange, server: Server): Promise<Result<Verdict, Failure>> {
  const context = contextOf(exchange);
  return unlessResting(context, server, async () => {
    const verdict = await withDeadline(context, limits.listPerUpstream_ms, (bounded) => eraOf(bounded, server));
    const isLate = !verdict.ok && verdict.error.code === "cancelled" && !context.signal.aborted;
    return isLate ? err(failure("upstream_timeout", undefined, { reason: "deadline" })) : verdict;
  });
}

export async function discoverServer(exchange: Exchange, permitted: Permitted): Promise<Reply> {
  const described = await describeServer(exchange, permitted);
  return described.ok ? discovered(exchange, described.value) : failed(described.error, exchange.request.id);
}

export async function discoverAggregate(exchange: Exchange): Promise<Reply> {
  return discovered(exchange, await describeAggregate(exchange));
}

function discovered(exchange: Exchange, { capabilities, instructions, outcomes }: Description): Reply {
  const result: JsonObject = {
    resultType: "complete",
    supportedVersions: [MODERN_VERSION],
    capabilities,
    ...(instructions === undefined ? {} : { instructions }),
    // What is offered may change with any change of configuration.
    ttlMs: 0,
    cacheScope: "private",
    _meta: { [META.serverInfo]: serverInfo, ...(outcomes === undefined ? {} : { [outcomesKey]: outcomes }) },
  };
  return {
    kind: "answer",
    status: 200,
    body: encodeResponse(exchange.request.id, { result }),
    outcome: { status: "ok" },
    ...(outcomes === undefined ? {} : { upstreams: outcomes }),
  };
}
