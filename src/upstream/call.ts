/** A request to an upstream server and what comes back, the same for both eras. */
import type { Failure } from "../errors.ts";
import type { OutboundContext } from "../outbound/index.ts";
import type { JsonObject, Result } from "../ports.ts";
import type { Era, RpcResponse } from "../protocol/index.ts";
import type { UpstreamSession } from "../session/index.ts";

export interface UpstreamCall {
  readonly method: string;
  /** By the upstream's own names; with the client's `_meta`. */
  readonly params: JsonObject;
  /** What `Mcp-Name` mirrors: tool, prompt, URI or task id. */
  readonly name?: string;
  /** `Mcp-Param-*` headers, canonical. */
  readonly paramHeaders?: readonly (readonly [name: string, value: string])[];
  /** Whole exchange, in milliseconds; for lists shorter than for calls. */
  readonly total_ms: number;
  /** True where silence is no sign of trouble: a stream of changes may have none for long. */
  readonly mayBeSilent?: boolean;
  /** True for requests that Gatehouse makes for itself: they get an id of their own, and no server may ask in them. */
  readonly own?: boolean;
  /** The session with a server of 2025 in which it is made, and which the caller closes. Else that of the context's owner. */
  readonly session?: UpstreamSession;
}

/** A notification on the way, as the upstream sent it. */
export interface UpstreamNotification {
  readonly kind: "notification";
  readonly method: string;
  readonly params: JsonObject;
  /** Its bytes, where they may go on as they are. */
  readonly text: string;
}

/** A request of a server of the 2025 revisions to the client. Only clients of that era get one. */
export interface UpstreamAsk {
  readonly kind: "ask";
  /** The server's own id of it. */
  readonly id: string | number;
  readonly method: string;
  readonly params: JsonObject;
  /** Sends the client's answer to the server, once. Failures are logged: the server then waits in vain, as behind a bad line. */
  answer(response: { readonly result: JsonObject } | { readonly error: JsonObject }): Promise<void>;
  /** Tells the server about the progress of this request. `params` has the server's own token. */
  progress(params: JsonObject): Promise<void>;
}

export type UpstreamMessage = UpstreamNotification | UpstreamAsk;

/** The answer to the request. */
export interface UpstreamAnswer {
  /** Of the server that gave it: an answer of the other era than the client's is translated. */
  readonly era: Era;
  readonly response: RpcResponse;
  /** Its bytes, with the client's request id. Undefined when it must be encoded anew. */
  readonly text: string | undefined;
  /** Characters of JSON that it came in. */
  readonly size_chars: number;
  /** HTTP status that the upstream gave. */
  readonly status: number;
}

/** Messages in order, then the answer. Ending the iteration early aborts the upstream request. */
export type UpstreamReply = AsyncGenerator<UpstreamMessage, Result<UpstreamAnswer, Failure>, void>;

/** What a request to an upstream needs to know of the request that it serves. */
export interface UpstreamContext extends OutboundContext {
  /** Gets the ids of the connections whose credentials are sent. */
  readonly used: Set<string>;
  /** Aborts when nobody wants the answer any more. */
  readonly signal: AbortSignal;
  /** JSON-RPC id to use where the upstream request stands for itself: the client's own. */
  readonly id: string | number;
  /** The client's. A server that speaks both is spoken to in this one, so that what it asks can reach the client. */
  readonly era: Era;
  /**
   * Whose sessions with servers of 2025 are used: `session:…` for a client of that era, `principal:…` for others. Undefined: a
   * session of its own, which ends with its use.
   */
  readonly owner: string | undefined;
  /** What such a server is told of the client. Never more than the client can do. */
  readonly client: { readonly info: JsonObject; readonly capabilities: JsonObject };
}

export type { Server as Target } from "../registry/index.ts";
