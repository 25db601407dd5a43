/**
 * Sessions with servers of 2025-03-26 to 2025-11-25. Such a server keeps state in one, so it belongs to one owner and is the
 * same in every isolate; a request without owner has one of its own, which ends with its use.
 */
import { base64url } from "jose";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { holderOf } from "../outbound/index.ts";
import { err, ok, type JsonObject, type Result } from "../ports.ts";
import { encodeNotification, encodeRequest, isObject } from "../protocol/index.ts";
import {
  claimUpstream,
  forgetUpstream,
  releaseUpstream,
  storeUpstream,
  type Facts,
  type UpstreamSession,
} from "../session/index.ts";
import { sha256 } from "../sha256.ts";
import type { Target, UpstreamContext } from "./call.ts";
import { isOutage } from "./era-evidence.ts";
import { del, post, refusedStatus } from "./http.ts";
import { hasBatches, initializeRequest, readInitialized } from "./legacy-handshake.ts";
import { readAnswer } from "./messages.ts";

/** MCP: session ids are visible ASCII. */
const sessionId = /^[\x21-\x7e]{1,1024}$/;

/** Headers of every message after `initialize`. The version header exists since 2025-06-18. */
export function sessionHeaders(session: UpstreamSession): [string, string][] {
  const headers: [string, string][] = [];
  if (session.id !== undefined) headers.push(["mcp-session-id", session.id]);
  if (session.version >= "2025-06-18") headers.push(["mcp-protocol-version", session.version]);
  return headers;
}

/**
 * The owner's session with the server, opened when there is none: once, however many ask for it at the same time. Without an
 * owner a new one, which the caller closes.
 * @param total_ms for each message of the handshake
 */
export async function legacySession(
  context: UpstreamContext,
  server: Target,
  total_ms: number,
): Promise<Result<UpstreamSession, Failure>> {
  const { owner } = context;
  if (owner === undefined) return initialize(context, server, total_ms);
  const session = await claimedSession(context, server, owner, total_ms);
  // The lease was too short for this server, and another call has opened one meanwhile.
  return !session.ok && session.error.code === "conflict" ? claimedSession(context, server, owner, total_ms) : session;
}

async function claimedSession(
  context: UpstreamContext,
  server: Target,
  owner: string,
  total_ms: number,
): Promise<Result<UpstreamSession, Failure>> {
  const revision = await openedWith(context, server);
  if (!revision.ok) return revision;
  const claimed = await claimUpstream(context, owner, { id: server.id, revision: revision.value });
  if (!claimed.ok) return claimed;
  if (claimed.value.kind === "known") return ok(claimed.value.session);
  const { lease } = claimed.value;
  const opened = await initialize(context, server, total_ms, revision.value);
  if (!opened.ok) {
    context.platform.waitUntil(releaseUpstream(context, owner, server.id, lease));
    return opened;
  }
  const stored = await storeUpstream(context, owner, lease, opened.value);
  if (!stored.ok) {
    context.platform.waitUntil(closeUpstreamSession(context, server, opened.value));
    return stored;
  }
  await applyFacts(context, server, opened.value, stored.value);
  return opened;
}

/**
 * A session goes on only with what it was opened with: the configuration of the server and, where people have accounts of their own, the
 * account. What it holds was asked for with that one.
 */
async function openedWith(context: UpstreamContext, server: Target): Promise<Result<number, Failure>> {
  const holder = await holderOf(context, server);
  if (!holder.ok) return holder;
  if (holder.value === "") return ok(server.revision);
  const bytes = base64url.decode(await sha256(JSON.stringify([server.revision, holder.value])));
  // 48 bits: an integer for every store on the way.
  return ok(bytes.subarray(0, 6).reduce((sum, byte) => sum * 256 + byte, 0));
}

/** The server no longer has it, or no longer as it was: the next request opens another. */
export async function forgetSession(context: UpstreamContext, server: Target, lost: UpstreamSession): Promise<void> {
  if (context.owner === undefined) return;
  const forgotten = await forgetUpstream(context, context.owner, server.id, lost.id);
  if (!forgotten.ok) context.platform.log("warn", "A lost session could not be forgotten", { server: server.slug });
}

/**
 * Tells the server that a session has no use any more. Most servers do not mind either way, so a failure is only logged.
 * @see MCP 2025-11-25 streamable HTTP, "Session Management"
 */
export async function closeUpstreamSession(
  context: UpstreamContext,
  server: Target,
  session: UpstreamSession,
): Promise<void> {
  if (session.id === undefined) return;
  const response = await del(context, server, {
    headers: sessionHeaders(session),
    total_ms: limits.eraProbe_ms,
    // The request that used it may be cancelled; that it is over holds all the more.
    signal: neverAborted(),
  });
  if (response.ok) await response.value.discard();
  const reason = response.ok ? `upstream_http_${response.value.status}` : response.error.reason;
  // 405: the server does not let clients end sessions. 404: it is gone already.
  const isEnded = response.ok && (response.value.status < 300 || [404, 405].includes(response.value.status));
  if (!isEnded) context.platform.log("info", "An upstream session was not closed", { server: server.slug, reason });
}

export const neverAborted = (): AbortSignal => new AbortController().signal;

/** @see MCP 2025-11-25 lifecycle, "Initialization" */
async function initialize(
  context: UpstreamContext,
  server: Target,
  total_ms: number,
  revision: number = server.revision,
): Promise<Result<UpstreamSession, Failure>> {
  const id = context.platform.ports.random.uuid();
  const response = await post(context, server, { headers: [], body: initializeRequest(context, id), total_ms });
  if (!response.ok) return response;
  const { status } = response.value;
  if (isOutage(status)) return err(await refusedStatus(response.value));
  const session_id = response.value.headers.get("mcp-session-id") ?? undefined;
  const answered = await readAnswer(response.value, id);
  if (!answered.ok) return answered;
  const negotiated = readInitialized(answered.value.response);
  if (!negotiated.ok) return negotiated;
  if (session_id !== undefined && !sessionId.test(session_id)) {
    return err(failure("upstream_invalid", undefined, { reason: "session_id" }));
  }
  const opened = { server_id: server.id, revision, id: session_id, diverged: false };
  const session: UpstreamSession = { ...opened, ...negotiated.value };
  const told = await tell(context, server, session, encodeNotification("notifications/initialized"), { total_ms });
  return told.ok ? ok(session) : told;
}

/** What an owner had set in the session before this one: its level of logs, and the resources that it watches. */
async function applyFacts(
  context: UpstreamContext,
  server: Target,
  session: UpstreamSession,
  { log_level, subscriptions }: Facts,
): Promise<void> {
  const levels = log_level === undefined ? [] : [setLogLevel(context, server, session, log_level)];
  const uris = subscriptions.filter(({ server_id }) => server_id === server.id).map(({ uri }) => uri);
  await Promise.all([...levels, ...uris.map((uri) => subscribe(context, server, session, uri))]);
}

/** @returns whether the level holds */
export async function setLogLevel(
  context: UpstreamContext,
  server: Target,
  session: UpstreamSession,
  level: string,
): Promise<boolean> {
  if (!isObject(session.capabilities["logging"])) return false;
  return request(context, server, session, "logging/setLevel", { level });
}

/** @returns whether the server agreed */
export async function subscribe(
  context: UpstreamContext,
  server: Target,
  session: UpstreamSession,
  uri: string,
): Promise<boolean> {
  if (!canSubscribe(session)) return false;
  return request(context, server, session, "resources/subscribe", { uri });
}

export const canSubscribe = ({ capabilities: { resources } }: UpstreamSession): boolean =>
  isObject(resources) && resources["subscribe"] === true;

/** A request of ours within the session whose result says nothing but that it succeeded. */
async function request(
  context: UpstreamContext,
  server: Target,
  session: UpstreamSession,
  method: string,
  params: JsonObject,
): Promise<boolean> {
  const id = context.platform.ports.random.uuid();
  const response = await post(context, server, {
    headers: sessionHeaders(session),
    body: encodeRequest(id, method, params),
    total_ms: limits.eraProbe_ms,
  });
  const answered = response.ok
    ? await readAnswer(response.value, id, { batches: hasBatches(session.version) })
    : response;
  const done = answered.ok && answered.value.response.kind === "result";
  if (!done) context.platform.log("info", "A setting did not reach the upstream", { server: server.slug, method });
  return done;
}

/** Sends a message that has no answer of its own: a notification, or the answer to a server's request. */
export async function tell(
  context: UpstreamContext,
  server: Target,
  session: UpstreamSession,
  body: string,
  more: { readonly total_ms: number; readonly signal?: AbortSignal },
): Promise<Result<void, Failure>> {
  const response = await post(context, server, { headers: sessionHeaders(session), body, ...more });
  if (!response.ok) return response;
  await response.value.discard();
  return ok(undefined);
}
