/** A request to an upstream server in the era that it speaks. */
import type { Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type JsonObject, type Result } from "../ports.ts";
import { isObject } from "../protocol/index.ts";
import type { UpstreamSession } from "../session/index.ts";
import type { Target, UpstreamAnswer, UpstreamCall, UpstreamContext, UpstreamReply } from "./call.ts";
import { mayBeAnotherEra } from "./era-evidence.ts";
import { eraOf, forgetEra, type Verdict } from "./era.ts";
import { closeUpstreamSession, legacySession } from "./legacy-session.ts";
import { legacySseRequest } from "./legacy-sse.ts";
import { legacyRequest } from "./legacy.ts";
import { modernRequest } from "./modern.ts";

type Request = (context: UpstreamContext, server: Target, call: UpstreamCall) => UpstreamReply;

export async function* requestUpstream(context: UpstreamContext, server: Target, call: UpstreamCall): UpstreamReply {
  const verdict = await eraOf(context, server);
  if (!verdict.ok) return verdict;
  const answered = yield* requestFor(verdict.value)(context, server, call);
  if (mayBeAnotherEra(answered)) await forgetEra(context, server);
  return answered;
}

function requestFor(verdict: Verdict): Request {
  if (verdict.era === "modern") return modernRequest;
  return verdict.transport === "sse" ? legacySseRequest : legacyRequest;
}

/** The same as a request of Gatehouse's own, without interest in what comes before the answer: for lists, probes and catalogs. */
export async function askUpstream(
  context: UpstreamContext,
  server: Target,
  call: UpstreamCall,
): Promise<Result<UpstreamAnswer, Failure>> {
  const reply = requestUpstream(context, server, { ...call, own: true });
  let next = await reply.next();
  while (next.done !== true) next = await reply.next();
  return next.value;
}

/** Which list, and the `_meta` with which a server of 2026-07-28 is asked for it. */
interface ListQuestion {
  readonly method: string;
  /** The member of the result that holds the items. */
  readonly member: string;
  readonly meta: JsonObject;
}

interface AllPages {
  readonly items: JsonObject[];
  readonly ttl_ms: number;
  readonly truncated: boolean;
}

/**
 * All pages of a list, within the bounds of `limits.listPages_count`, `limits.listItems_count` and `limits.listAll_chars`; a
 * page that breaks the last is left out. Without an owner a server of 2025 is asked for them in one session, which then ends:
 * a cursor may mean nothing in another one.
 */
export async function askAllPages(
  context: UpstreamContext,
  server: Target,
  question: ListQuestion,
  total_ms: number,
): Promise<Result<AllPages, Failure>> {
  const until = context.platform.ports.clock.now() + total_ms;
  const verdict = await eraOf(context, server);
  if (!verdict.ok) return verdict;
  const isSessionless = verdict.value.era === "modern" || verdict.value.transport === "sse";
  if (isSessionless || context.owner !== undefined) return askPages(context, server, question, until);
  const session = await legacySession(context, server, total_ms);
  if (!session.ok) {
    if (mayBeAnotherEra(session)) await forgetEra(context, server);
    return session;
  }
  try {
    return await askPages(context, server, question, until, session.value);
  } finally {
    context.platform.waitUntil(closeUpstreamSession(context, server, session.value));
  }
}

async function askPages(
  context: UpstreamContext,
  server: Target,
  { method, member, meta }: ListQuestion,
  until: number,
  session?: UpstreamSession,
): Promise<Result<AllPages, Failure>> {
  const items: JsonObject[] = [];
  let ttl_ms = Number.MAX_SAFE_INTEGER;
  let size_chars = 0;
  let cursor: string | undefined;
  const { clock } = context.platform.ports;
  for (let page = 0; page < limits.listPages_count; page++) {
    const params: JsonObject = { ...(cursor === undefined ? {} : { cursor }), _meta: meta };
    const left_ms = Math.max(1, until - clock.now());
    const answer = await askUpstream(context, server, {
      method,
      params,
      total_ms: left_ms,
      ...(session === undefined ? {} : { session }),
    });
    if (!answer.ok) return answer;
    const { response } = answer.value;
    // A server without this capability says "method not found": to an aggregate that is an empty list.
    if (response.kind === "error")
      return response.error.code === -32601
        ? ok({ items, ttl_ms, truncated: false })
        : err(refused(response.error.code));
    const { [member]: listed, nextCursor, ttlMs, resultType = "complete" } = response.result;
    // MCP 2026-07-28 MRTR: no list may ask for input.
    if (resultType !== "complete" || !Array.isArray(listed)) return err(noList);
    size_chars += answer.value.size_chars;
    if (size_chars > limits.listAll_chars) break;
    for (const item of listed) if (isObject(item)) items.push(item);
    ttl_ms = Math.min(ttl_ms, typeof ttlMs === "number" && ttlMs >= 0 ? ttlMs : 0);
    if (items.length > limits.listItems_count) break;
    if (typeof nextCursor !== "string") return ok({ items, ttl_ms, truncated: false });
    if (nextCursor === cursor || items.length === limits.listItems_count) break;
    cursor = nextCursor;
  }
  return ok({ items: items.slice(0, limits.listItems_count), ttl_ms, truncated: true });
}

const refused = (code: number): Failure => ({ code: "upstream_refused", reason: `upstream_error_${code}` });
const noList: Failure = { code: "upstream_invalid", reason: "list_result" };
