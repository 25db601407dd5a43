/** What a client of the 2025 revisions posts: `initialize`, requests, notifications, answers, and batches of these. */
import { failure, type Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import type { Result } from "../../ports.ts";
import {
  checkLegacy,
  isObject,
  META,
  readInitialize,
  type ClientRequest,
  type Posted,
  type PostedOne,
  type RpcFailure,
  type RpcRequest,
} from "../../protocol/index.ts";
import { newOwner, noFacts } from "../../session/index.ts";
import { exchangeOf, rejected, type Caller } from "../caller.ts";
import { dispatch } from "../dispatch.ts";
import { mergeResponses } from "./batch.ts";
import { claimRequest } from "./in-flight.ts";
import { takeAnswer, takeNotification } from "./one-way.ts";
import { resume, type Session } from "./resume.ts";

export async function handleLegacy(caller: Caller, posted: Posted, size_bytes: number): Promise<Response> {
  if (posted.kind === "message" && posted.message.kind === "request" && posted.message.method === "initialize") {
    return begin(caller, posted.message, size_bytes);
  }
  const session = await resume(caller);
  if (!session.ok) return rejected(caller, { failure: session.error, size_bytes, ...namesOf(posted) });
  if (posted.kind !== "batch") return handleOne(caller, session.value, posted, size_bytes);
  return handleBatch(caller, session.value, posted.items, size_bytes);
}

function namesOf(posted: Posted): { id?: string | number; method?: string } {
  if (posted.kind !== "message") return {};
  const { message } = posted;
  return { method: message.method, ...(message.kind === "request" ? { id: message.id } : {}) };
}

async function begin(caller: Caller, message: RpcRequest, size_bytes: number): Promise<Response> {
  const agreed = readInitialize(message);
  if (!agreed.ok) return asAnswer(await rejected(caller, { failure: agreed.error, size_bytes, ...message }));
  const { clock, random } = caller.front.platform.ports;
  const { version, clientInfo, clientCapabilities } = agreed.value;
  const client = {
    ...{ owner: newOwner(random), version, clientCapabilities, expires_at: clock.now() + limits.session_ms },
    ...(clientInfo === undefined ? {} : { clientInfo }),
  };
  const request = checkLegacy(message, agreed.value);
  if (!request.ok) return asAnswer(await rejected(caller, { failure: request.error, size_bytes, ...message }));
  return dispatch(exchangeOf(caller, request.value, size_bytes, { client, facts: noFacts }));
}

async function handleOne(caller: Caller, session: Session, posted: PostedOne, size_bytes: number): Promise<Response> {
  if (posted.kind === "response") return takeAnswer(caller, session, posted);
  const { message } = posted;
  if (message.kind === "notification") return takeNotification(caller, session, message);
  return handleRequest(caller, session, message, size_bytes);
}

async function handleRequest(
  caller: Caller,
  session: Session,
  message: RpcRequest,
  size_bytes: number,
): Promise<Response> {
  const { version } = session.client;
  const refuse = async (refused: Failure): Promise<Response> =>
    asAnswer(await rejected(caller, { failure: refused, size_bytes, version, id: message.id, method: message.method }));
  const { clientInfo, clientCapabilities, owner } = session.client;
  const checked = checkLegacy(message, {
    ...{ version, clientCapabilities, logLevel: session.facts.log_level },
    ...(clientInfo === undefined ? {} : { clientInfo }),
  });
  if (!checked.ok) return refuse(checked.error);
  // A second session inside a session would be nobody's.
  if (message.method === "initialize") return refuse(failure("invalid_request", "The session has begun already"));
  const settled = claimRequest(caller.front.tenant.id, owner, message.id);
  if (settled === undefined) {
    const detail = "A request with this id is still running in this session";
    return refuse(failure("invalid_request", detail, { reason: "duplicate_request_id" }));
  }
  const exchange = { ...exchangeOf(caller, withLogLevel(checked.value), size_bytes, session), settled };
  let response: Response | undefined;
  try {
    return (response = await dispatch(exchange));
  } finally {
    // Refused requests, and bugs, have no outcome; a stream has one later.
    if (response?.headers.get("content-type") !== "text/event-stream") settled();
  }
}

/** A server of 2026-07-28 knows no sessions: the level goes with each request. */
function withLogLevel(request: ClientRequest): ClientRequest {
  const { logLevel } = request.meta;
  if (logLevel === undefined) return request;
  const meta = isObject(request.params["_meta"]) ? request.params["_meta"] : {};
  return { ...request, params: { ...request.params, _meta: { ...meta, [META.logLevel]: logLevel } } };
}

/** @see MCP 2025-03-26 basic, "Batching": gone in the revision after */
async function handleBatch(
  caller: Caller,
  session: Session,
  items: readonly Result<PostedOne, RpcFailure>[],
  size_bytes: number,
): Promise<Response> {
  const { version } = session.client;
  if (version !== "2025-03-26") {
    const refused = failure("invalid_request", `Batches are not part of MCP ${version}`, { reason: "batch" });
    return rejected(caller, { failure: refused, size_bytes, version });
  }
  const share_bytes = Math.ceil(size_bytes / items.length);
  const responses = await Promise.all(
    items.map((item) =>
      item.ok
        ? handleOne(caller, session, item.value, share_bytes)
        : rejected(caller, { ...item.error, size_bytes: share_bytes, version }),
    ),
  );
  return mergeResponses(responses);
}

/** In these revisions a JSON-RPC error is an answer like any other: clients take another status for a broken connection. */
function asAnswer(response: Response): Response {
  if (response.status !== 400 && response.status !== 404) return response;
  return new Response(response.body, { status: 200, headers: response.headers });
}
