/**
 * The session with a server of 2025-03-26 to 2025-11-25. It belongs to one principal, since such a server may keep state in
 * it. What isolates share is its id and version: immutable strings, renewed when they are lost.
 */
import { BoundedMap } from "../../bounded-map.ts";
import { failure, type Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { err, ok, type JsonObject, type Result } from "../../ports.ts";
import { encodeNotification, encodeRequest, LEGACY_VERSIONS } from "../../protocol/index.ts";
import type { Target, UpstreamContext } from "./call.ts";
import { readDeclaration } from "./declaration.ts";
import { post } from "./http.ts";
import { readAnswer } from "./messages.ts";

export interface LegacySession {
  /** Absent when the server keeps none. */
  readonly id: string | undefined;
  readonly version: string;
  readonly capabilities: JsonObject;
  readonly instructions: string | undefined;
  /** The log level that was last set in it. */
  log_level?: string;
}

const offered = "2025-11-25";
/** The versions over Streamable HTTP; 2024-11-05 has another transport. */
const spoken = new Set(LEGACY_VERSIONS.filter((version) => version >= "2025-03-26"));
/** MCP: session ids are visible ASCII. */
const sessionId = /^[\x21-\x7e]{1,1024}$/;

const sessions = new BoundedMap<{ readonly session: LegacySession; readonly until: number }>(
  limits.legacySessions_count,
);

const keyOf = (context: UpstreamContext, server: Target): string =>
  JSON.stringify([context.tenant.id, server.id, server.revision, context.principal.id]);

/** Headers of every message after `initialize`. The version header exists since 2025-06-18. */
export function sessionHeaders(session: LegacySession): [string, string][] {
  const headers: [string, string][] = [];
  if (session.id !== undefined) headers.push(["mcp-session-id", session.id]);
  if (session.version >= "2025-06-18") headers.push(["mcp-protocol-version", session.version]);
  return headers;
}

export function forgetSession(context: UpstreamContext, server: Target, lost: LegacySession): void {
  const key = keyOf(context, server);
  if (sessions.get(key)?.session === lost) sessions.delete(key);
}

/** The principal's session with the server, opened when there is none. */
export async function legacySession(
  context: UpstreamContext,
  server: Target,
  total_ms: number,
): Promise<Result<LegacySession, Failure>> {
  const key = keyOf(context, server);
  const now = context.platform.ports.clock.now();
  const known = sessions.get(key);
  if (known !== undefined && known.until > now) return ok(known.session);
  const opened = await initialize(context, server, total_ms);
  if (opened.ok) sessions.set(key, { session: opened.value, until: now + limits.legacySession_ms });
  return opened;
}

/** @see MCP 2025-11-25 lifecycle, "Initialization" */
async function initialize(
  context: UpstreamContext,
  server: Target,
  total_ms: number,
): Promise<Result<LegacySession, Failure>> {
  const id = context.platform.ports.random.uuid();
  const params: JsonObject = {
    protocolVersion: offered,
    // Nothing is declared that would need the bridge between eras: a server may then not ask for it.
    capabilities: {},
    clientInfo: { name: "gatehouse", version: "0.1.0" },
  };
  const response = await post(context, server, {
    headers: [],
    body: encodeRequest(id, "initialize", params),
    total_ms,
  });
  if (!response.ok) return response;
  const session_id = response.value.headers.get("mcp-session-id") ?? undefined;
  const answered = await readAnswer(response.value, id);
  if (!answered.ok) return answered;

  const { response: answer } = answered.value;
  if (answer.kind === "error") return err(failure("upstream_refused", undefined, { reason: "initialize_refused" }));
  const { protocolVersion: version, capabilities, instructions } = answer.result;
  if (typeof version !== "string" || !spoken.has(version)) {
    return err(failure("upstream_invalid", undefined, { reason: "protocol_version" }));
  }
  if (session_id !== undefined && !sessionId.test(session_id)) {
    return err(failure("upstream_invalid", undefined, { reason: "session_id" }));
  }
  const session: LegacySession = {
    id: session_id,
    version,
    ...readDeclaration(capabilities, instructions),
  };
  const told = await tell(
    context,
    server,
    session,
    encodeNotification("notifications/initialized", undefined),
    total_ms,
  );
  return told.ok ? ok(session) : told;
}

/** Sends a message that has no answer of its own: a notification, or the answer to a server's request. */
export async function tell(
  context: UpstreamContext,
  server: Target,
  session: LegacySession,
  body: string,
  total_ms: number,
  signal?: AbortSignal,
): Promise<Result<void, Failure>> {
  const response = await post(context, server, {
    headers: sessionHeaders(session),
    body,
    total_ms,
    ...(signal === undefined ? {} : { signal }),
  });
  if (!response.ok) return response;
  await response.value.discard();
  return ok(undefined);
}
