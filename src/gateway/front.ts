/**
 * The way of a request on an MCP endpoint, step by step. Nothing of it is read before its sender is admitted; each step
 * narrows what the next one has to think of.
 */
import { admitClient, withChallenge, type Principal } from "../admission/index.ts";
import { boundedText, type Recorder } from "../audit/index.ts";
import { readBody } from "../body.ts";
import { arrivedThroughGatehouse, type SafeFetch } from "../egress/index.ts";
import { failure, toRpcResponse, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Platform } from "../platform.ts";
import { checkModern, classifyEra, MODERN_VERSION, parseMessage, type RpcMessage } from "../protocol/index.ts";
import { currentSnapshot, type Snapshot, type TenantHost } from "../tenant/index.ts";
import type { Vault } from "../vault/index.ts";
import { dispatch } from "./dispatch.ts";
import type { Endpoint, Exchange } from "./exchange.ts";
import { checkAccept, checkContentType, checkMethod, checkOrigin } from "./guards.ts";

export interface Front {
  readonly platform: Platform;
  readonly tenant: TenantHost;
  readonly endpoint: Endpoint;
  readonly vault: Vault;
  readonly recorder: Recorder;
  readonly fetch: SafeFetch;
  readonly source: Exchange["source"];
  /** Counts a failure of somebody whom nobody knows; never a Queue message each. */
  countUnknown(reason: string): void;
}

export async function handleMcp(request: Request, front: Front): Promise<Response> {
  const started_at = front.platform.ports.clock.now();
  const current = await currentSnapshot(front.platform, front.tenant.id);
  if (!current.ok) return toRpcResponse(current.error);
  const snapshot = current.value;

  const foreign = checkOrigin(request.headers, front.tenant, snapshot);
  if (foreign !== undefined) {
    front.countUnknown("origin");
    return toRpcResponse(foreign);
  }
  const { mode } = front.platform.configuration;
  const admitted = await admitClient(mode, snapshot, request.headers, started_at);
  if (!admitted.ok) {
    front.countUnknown(admitted.error.reason ?? admitted.error.code);
    return toRpcResponse(withChallenge(admitted.error, front.tenant.origin, front.endpoint.path));
  }
  const caller = { front, snapshot, principal: admitted.value, started_at };

  const unfit = checkMethod(request) ?? checkContentType(request) ?? checkAccept(request) ?? checkLoop(request.headers);
  if (unfit !== undefined) return rejected(caller, unfit, 0);
  const body = await readBody(request, limits.mcpBody_bytes, front.platform.ports.clock);
  if (!body.ok) return rejected(caller, body.error, 0);
  const message = parseMessage(body.value);
  if (!message.ok) return rejected(caller, message.error.failure, body.value.byteLength, message.error.id);
  return handleMessage(request, caller, message.value, body.value.byteLength);
}

/** A gateway that is its own upstream, however far around, would call itself until some limit breaks. */
function checkLoop(headers: Headers): Failure | undefined {
  if (!arrivedThroughGatehouse(headers)) return undefined;
  return failure("bad_header", "This request comes from a Gatehouse already: its upstream must be the server itself", {
    reason: "loop",
  });
}

interface Caller {
  readonly front: Front;
  readonly snapshot: Snapshot;
  readonly principal: Principal;
  readonly started_at: number;
}

async function handleMessage(
  request: Request,
  caller: Caller,
  message: RpcMessage,
  request_bytes: number,
): Promise<Response> {
  const id = message.kind === "request" ? message.id : undefined;
  if (classifyEra(message, request.headers) === "legacy") {
    return rejected(caller, notYet(message, request.headers), request_bytes, id, message.method);
  }
  // 2026-07-28 defines no notification from clients over HTTP: it is taken and goes nowhere.
  if (message.kind === "notification") return new Response(null, { status: 202 });
  const checked = checkModern(message, request.headers);
  if (!checked.ok) return rejected(caller, checked.error, request_bytes, id, message.method);
  const { front, snapshot, principal, started_at } = caller;
  const { platform, tenant, endpoint, vault, recorder, fetch, source } = front;
  const cancelled = new AbortController();
  if (request.signal.aborted) cancelled.abort();
  else request.signal.addEventListener("abort", () => cancelled.abort(), { once: true });
  const exchange: Exchange = {
    ...{ platform, tenant, snapshot, principal, endpoint, vault, recorder, fetch, source },
    headers: request.headers,
    request: checked.value,
    request_bytes,
    started_at,
    signal: cancelled.signal,
    abandon: () => cancelled.abort(),
  };
  return dispatch(exchange);
}

/**
 * A client of the 2025 revisions. The error names what is spoken here: such clients have no other way to find out.
 * @see MCP 2026-07-28 versioning, "Backward Compatibility with Initialization-Based Versions"
 */
function notYet(message: RpcMessage, headers: Headers): Failure {
  const asked = message.params?.["protocolVersion"];
  // Without the header a client means the first revision that had this transport.
  const requested = typeof asked === "string" ? asked : (headers.get("mcp-protocol-version") ?? "2025-03-26");
  return failure(
    "unsupported_version",
    `This endpoint speaks MCP ${MODERN_VERSION}; sessions of earlier revisions are not served yet`,
    { reason: "legacy_client", data: { supported: [MODERN_VERSION], requested: requested.slice(0, 64) } },
  );
}

/** Refuses a request of a known caller; that is recorded before it is answered. */
async function rejected(
  { front, principal, started_at }: Caller,
  refused: Failure,
  size_bytes: number,
  id?: string | number,
  method?: string,
): Promise<Response> {
  const recording = await front.recorder.record({
    id: front.platform.ports.random.uuid(),
    type: "mcp.request",
    tenant: front.tenant.id,
    time: started_at,
    actor: { agent: principal.agent },
    target: { method: boundedText(method) ?? "", endpoint: front.endpoint.path },
    decision: { effect: "deny", policy: "protocol:validation", reason: refused.reason ?? refused.code },
    request: { size_bytes, token_weight: Math.ceil(size_bytes / 4) },
    source: front.source,
    deadline: started_at,
  });
  return toRpcResponse(recording.ok ? refused : recording.error, id);
}
