/**
 * A request to a server of the 2025 revisions, made from a modern one and answered like one. What such a server asks in the
 * middle of a call would need the bridge across eras: it is refused, and the call ends with an error that says so.
 */
import { failure, type Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { err, ok, type Json, type JsonObject, type Result } from "../../ports.ts";
import { encodeNotification, encodeRequest, encodeResponse, META, isObject } from "../../protocol/index.ts";
import type {
  Target,
  UpstreamAnswer,
  UpstreamCall,
  UpstreamContext,
  UpstreamNotification,
  UpstreamReply,
} from "./call.ts";
import { post } from "./http.ts";
import { forgetSession, legacySession, sessionHeaders, tell, type LegacySession } from "./legacy-session.ts";
import { readAnswer, readMessages, type Answered, type Interim } from "./messages.ts";

const logLevels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
const listMethods = new Set([
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
]);

/** One request within a session, with ids and tokens of this hop. */
interface Hop {
  readonly id: string;
  readonly session: LegacySession;
  readonly call: UpstreamCall;
  readonly progressToken: Json | undefined;
  readonly logLevel: string | undefined;
}

export async function* legacyRequest(context: UpstreamContext, server: Target, call: UpstreamCall): UpstreamReply {
  // A session that the server no longer knows answers 404 before anything ran: one more try on a new one is safe.
  for (const attempt of ["first", "renewed"] as const) {
    const session = await legacySession(context, server, call.total_ms);
    if (!session.ok) return session;
    const hop = toHop(context, session.value, call);
    await applyLogLevel(context, server, hop);
    const response = await post(context, server, {
      headers: sessionHeaders(session.value),
      body: encodeRequest(hop.id, call.method, hopParams(hop)),
      total_ms: call.total_ms,
    });
    if (!response.ok) {
      if (mayStillRun(response.error)) context.platform.waitUntil(cancel(context, server, hop));
      return response;
    }
    const { status } = response.value;
    if (attempt === "first" && session.value.id !== undefined && (status === 404 || status === 400)) {
      const answered = await readAnswer(response.value, hop.id);
      if (status === 404 || isLostSession(answered)) {
        forgetSession(context, server, session.value);
        continue;
      }
      return answered.ok ? translate(hop, answered.value) : answered;
    }
    if (status !== 200 && status !== 400) {
      await response.value.discard();
      return err(failure("upstream_refused", undefined, { reason: `upstream_http_${status}` }));
    }
    return yield* converse(context, server, hop, readMessages(response.value, hop.id));
  }
  return err(failure("upstream_refused", undefined, { reason: "session_lost" }));
}

/**
 * A conforming server answers 404 when it no longer knows the session; others 400, with an error that names no request, since
 * they could not place it, or with no JSON-RPC at all. An error with our id may come from a tool that ran.
 */
function isLostSession(answered: Result<Answered, Failure>): boolean {
  if (!answered.ok) return answered.error.code === "upstream_invalid";
  const { response, isPlaced } = answered.value;
  return !isPlaced && response.kind === "error" && (response.error.code === -32000 || response.error.code === -32600);
}

const mayStillRun = ({ code }: Failure): boolean => code === "cancelled" || code === "upstream_timeout";

function toHop(context: UpstreamContext, session: LegacySession, call: UpstreamCall): Hop {
  const meta = isObject(call.params["_meta"]) ? call.params["_meta"] : {};
  const level = meta[META.logLevel];
  return {
    id: context.platform.ports.random.uuid(),
    session,
    call,
    progressToken: meta["progressToken"],
    logLevel: typeof level === "string" ? level : undefined,
  };
}

/** The params of 2025: no reserved `_meta` of 2026, and a progress token that is unique in the session. */
function hopParams(hop: Hop): JsonObject | undefined {
  const { _meta, ...rest } = hop.call.params;
  const meta: JsonObject = {};
  for (const [key, value] of Object.entries(isObject(_meta) ? _meta : {})) {
    if (!key.startsWith("io.modelcontextprotocol/")) meta[key] = value;
  }
  if (hop.progressToken !== undefined) meta["progressToken"] = hop.id;
  return Object.keys(meta).length === 0 ? rest : { ...rest, _meta: meta };
}

/** The level is a property of the session in 2025, and of the request in 2026. A failure leaves the call without logs. */
async function applyLogLevel(context: UpstreamContext, server: Target, hop: Hop): Promise<void> {
  const { session, logLevel } = hop;
  if (logLevel === undefined || session.log_level === logLevel || !isObject(session.capabilities["logging"])) return;
  const id = context.platform.ports.random.uuid();
  const set = await tell(
    context,
    server,
    session,
    encodeRequest(id, "logging/setLevel", { level: logLevel }),
    limits.eraProbe_ms,
  );
  if (set.ok) session.log_level = logLevel;
}

type Messages = ReturnType<typeof readMessages>;

async function* converse(context: UpstreamContext, server: Target, hop: Hop, messages: Messages): UpstreamReply {
  let over = false;
  let requests_count = 0;
  try {
    for (let next = await messages.next(); ; next = await messages.next()) {
      if (next.done === true) {
        over = next.value.ok || !mayStillRun(next.value.error);
        return next.value.ok ? translate(hop, next.value.value) : next.value;
      }
      if (next.value.kind === "request") {
        // Each costs a subrequest of this invocation, which the audit hand-over needs as well.
        if (++requests_count > limits.upstreamRequests_count) {
          return err(failure("upstream_invalid", undefined, { reason: "request_flood" }));
        }
        const refused = await refuse(context, server, hop, next.value);
        if (refused !== undefined) return err(refused);
      } else {
        const passed = passOn(hop, next.value);
        if (passed !== undefined) yield passed;
      }
    }
  } finally {
    await messages.return(err(failure("upstream_invalid")));
    // 2025 revisions: closing the connection is no cancellation, so it is said.
    if (!over) context.platform.waitUntil(cancel(context, server, hop));
  }
}

async function cancel(context: UpstreamContext, server: Target, hop: Hop): Promise<void> {
  const notification = encodeNotification("notifications/cancelled", { requestId: hop.id });
  const told = await tell(context, server, hop.session, notification, limits.eraProbe_ms, AbortSignal.any([]));
  if (!told.ok) context.platform.log("info", "A cancellation did not reach the upstream", { server: server.slug });
}

/** Progress of this request and the log messages that were asked for; nothing else belongs to this stream. */
function passOn(hop: Hop, message: Interim): UpstreamNotification | undefined {
  const params = message.params ?? {};
  if (message.method === "notifications/progress") {
    if (hop.progressToken === undefined || params["progressToken"] !== hop.id) return undefined;
    const own = { ...params, progressToken: hop.progressToken };
    return { method: message.method, params: own, text: encodeNotification(message.method, own) };
  }
  if (message.method === "notifications/message") {
    const level = logLevels.indexOf(String(params["level"]));
    if (hop.logLevel === undefined || level < logLevels.indexOf(hop.logLevel)) return undefined;
    return { method: message.method, params, text: message.text };
  }
  return undefined;
}

/** @returns the failure that ends the call, or undefined after a ping */
async function refuse(
  context: UpstreamContext,
  server: Target,
  hop: Hop,
  request: Extract<Interim, { kind: "request" }>,
): Promise<Failure | undefined> {
  if (request.method === "ping") {
    await tell(context, server, hop.session, encodeResponse(request.id, { result: {} }), limits.eraProbe_ms);
    return undefined;
  }
  const error = { code: -32601, message: "This client does not take requests from the server" };
  await tell(context, server, hop.session, encodeResponse(request.id, { error }), limits.eraProbe_ms);
  return bridgeNeeded(server, request.method);
}

const bridgeNeeded = (server: Target, method: string): Failure =>
  failure(
    "bridge_needed",
    `Server "${server.slug}" speaks an earlier revision of MCP and asked for ${method.slice(0, 64)} in the middle of the call. ` +
      "Gatehouse cannot pass that to a client of 2026-07-28 yet. The call was ended; it may have run in part.",
    { reason: "bridge_needed" },
  );

/** A 2025 answer as a 2026 one. */
function translate(hop: Hop, { response, text, status }: Answered): Result<UpstreamAnswer, Failure> {
  const size_chars = text.length;
  if (response.kind === "result") {
    // Whatever a server of 2025 means by that member, it is no other type of result: those came later.
    const result: JsonObject = { ...response.result, resultType: "complete" };
    if (listMethods.has(hop.call.method)) Object.assign(result, { ttlMs: 0, cacheScope: "private" });
    return ok({ response: { kind: "result", result }, text: undefined, size_chars, status: 200 });
  }
  const { code, message, data } = response.error;
  // -32042 exists in 2025-11-25 only: the user should open a URL first.
  if (code === -32042) {
    return err(
      failure("bridge_needed", `The upstream server asks for an action of the user first: ${message.slice(0, 200)}`, {
        reason: "url_elicitation",
      }),
    );
  }
  if (code === -32020 || code === -32022) {
    return err(failure("upstream_refused", undefined, { reason: `upstream_error_${code}` }));
  }
  // -32002, resource not found, became -32602; the other reserved codes speak of this hop only.
  const known = code === -32002 ? -32602 : code <= -32000 && code >= -32099 ? -32603 : code;
  const error = { code: known, message, ...(data === undefined ? {} : { data }) };
  return ok({ response: { kind: "error", error }, text: undefined, size_chars, status });
}
