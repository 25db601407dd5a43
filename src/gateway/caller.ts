/** Who calls, once that is known, and the two ways on from there: an exchange, or a refusal that is recorded. */
import type { Principal } from "../admission/index.ts";
import { boundedText, type Recorder } from "../audit/index.ts";
import type { SafeFetch } from "../egress/index.ts";
import { toRpcResponse, type Failure } from "../errors.ts";
import type { Platform } from "../platform.ts";
import type { ClientRequest } from "../protocol/index.ts";
import type { Snapshot, TenantHost } from "../tenant/index.ts";
import type { Vault } from "../vault/index.ts";
import { actorOf } from "./actor.ts";
import type { Endpoint, Exchange } from "./exchange.ts";

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

export interface Caller {
  readonly front: Front;
  readonly snapshot: Snapshot;
  readonly principal: Principal;
  readonly started_at: number;
  /** Of the HTTP request. */
  readonly headers: Headers;
  /** Aborts when the client closes the connection. */
  readonly gone: AbortSignal;
}

export function exchangeOf(
  { front, snapshot, principal, started_at, headers, gone }: Caller,
  request: ClientRequest,
  request_bytes: number,
  session?: Exchange["session"],
): Exchange {
  const { platform, tenant, endpoint, vault, recorder, fetch, source } = front;
  const cancelled = new AbortController();
  return {
    ...{ platform, tenant, snapshot, principal, endpoint, vault, recorder, fetch, source, headers, gone },
    ...{ request, request_bytes, started_at, asked: [], used: new Set() },
    ...(session === undefined ? {} : { session }),
    signal: cancelled.signal,
    abandon: () => cancelled.abort(),
  };
}

export interface Rejected {
  readonly failure: Failure;
  readonly size_bytes: number;
  readonly id?: string | number | undefined;
  readonly method?: string | undefined;
  readonly version?: string | undefined;
}

/** Refuses a request of a known caller; that is recorded before it is answered. */
export async function rejected(
  { front, principal, started_at }: Caller,
  { failure: refused, size_bytes, id, method, version }: Rejected,
): Promise<Response> {
  const recording = await front.recorder.record({
    id: front.platform.ports.random.uuid(),
    type: "mcp.request",
    tenant: front.tenant.id,
    time: started_at,
    actor: actorOf(principal),
    target: {
      method: boundedText(method) ?? "",
      endpoint: front.endpoint.path,
      ...(version === undefined ? {} : { protocol_version: version }),
    },
    decision: { effect: "deny", policy: "protocol:validation", reason: refused.reason ?? refused.code },
    request: { size_bytes, token_weight: Math.ceil(size_bytes / 4) },
    source: front.source,
    deadline: started_at,
  });
  return toRpcResponse(recording.ok ? refused : recording.error, id);
}
