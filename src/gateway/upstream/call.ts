/** A request to an upstream server and what comes back, the same for both eras. */
import type { Failure } from "../../errors.ts";
import type { JsonObject, Result } from "../../ports.ts";
import type { RpcResponse } from "../../protocol/index.ts";
import type { Exchange, Permitted } from "../exchange.ts";

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
}

/** A notification on the way, as the upstream sent it. */
export interface UpstreamNotification {
  readonly method: string;
  readonly params: JsonObject;
  /** Its bytes, where they may go on as they are. */
  readonly text: string;
}

/** The answer to the request. */
export interface UpstreamAnswer {
  readonly response: RpcResponse;
  /** Its bytes, with the client's request id. Undefined when it was translated and must be encoded anew. */
  readonly text: string | undefined;
  /** Characters of JSON that it came in. */
  readonly size_chars: number;
  /** HTTP status that the upstream gave. */
  readonly status: number;
}

/** Notifications in order, then the answer. Ending the iteration early aborts the upstream request. */
export type UpstreamReply = AsyncGenerator<UpstreamNotification, Result<UpstreamAnswer, Failure>, void>;

/** What an upstream request needs of the exchange that it serves. */
export type UpstreamContext = Pick<Exchange, "platform" | "tenant" | "principal" | "vault" | "fetch" | "signal"> & {
  /** JSON-RPC id to use where the upstream request stands for itself: the client's own. */
  readonly id: string | number;
};

export type Target = Permitted["server"];
