/** What a handler gives back; `record.ts` turns it into the HTTP response when the audit log allows it. */
import type { Outcome } from "../audit/index.ts";
import { rpcStatus, toRpcError, type Failure } from "../errors.ts";

export type Reply =
  | {
      readonly kind: "answer";
      readonly status: number;
      /** One JSON-RPC response. */
      readonly body: string;
      readonly outcome: Outcome;
      /** For requests that went to several upstreams: what each did. */
      readonly upstreams?: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "stream";
      /** Notifications in order, and "" for "still here". */
      readonly messages: AsyncGenerator<string, Ending, void>;
    };

/** How a stream ends. */
export interface Ending {
  readonly outcome: Outcome;
  /** The JSON-RPC response, where there is one. */
  readonly body?: string;
}

export function failed(failure: Failure, id: string | number): Extract<Reply, { kind: "answer" }> {
  const error = toRpcError(failure, id);
  return {
    kind: "answer",
    status: rpcStatus(failure),
    body: JSON.stringify(error),
    outcome: outcomeOf(failure),
  };
}

export function outcomeOf(failure: Failure): Outcome {
  return { status: failure.code === "cancelled" ? "cancelled" : "error", reason: failure.reason ?? failure.code };
}
