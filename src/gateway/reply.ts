/** What a handler gives back; `record.ts` turns it into the HTTP response when the audit log allows it. */
import type { Outcome } from "../audit/index.ts";
import { rpcStatus, toRpcError, type Failure } from "../errors.ts";

export type Reply =
  | {
      readonly kind: "answer";
      readonly status: number;
      /** One JSON-RPC response; undefined where the HTTP status is the whole answer. */
      readonly body: string | undefined;
      /** The answer to a GET or a DELETE, whose HTTP status counts. */
      readonly isHttp?: boolean;
      readonly headers?: Readonly<Record<string, string>>;
      readonly outcome: Outcome;
      /** For requests that went to several upstreams: what each did. */
      readonly upstreams?: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "stream";
      /** Notifications and requests in order, and "" for "still here". */
      readonly messages: AsyncGenerator<Message, Ending, void>;
      /** The messages end by themselves when the principal may no longer have them. */
      readonly watchesStanding?: true;
    };

/** JSON. What a client missed and gets now goes under the event id that it had. */
export type Message = string | { readonly id: string; readonly text: string };

/** How a stream ends. */
export interface Ending {
  readonly outcome: Outcome;
  /** The JSON-RPC response, where there is one. */
  readonly body?: string | undefined;
}

export type Answer = Extract<Reply, { kind: "answer" }>;
export type Messages = Extract<Reply, { kind: "stream" }>["messages"];

export function failed(failure: Failure, id: string | number): Answer & { readonly body: string } {
  return {
    kind: "answer",
    status: rpcStatus(failure),
    body: JSON.stringify(toRpcError(failure, id)),
    outcome: outcomeOf(failure),
  };
}

/** For requests that are no JSON-RPC: the error names none. */
export function refusedWithoutId(failure: Failure): Answer {
  return {
    kind: "answer",
    status: rpcStatus(failure),
    isHttp: true,
    body: JSON.stringify(toRpcError(failure)),
    ...(failure.headers === undefined ? {} : { headers: failure.headers }),
    outcome: outcomeOf(failure),
  };
}

export function outcomeOf(failure: Failure): Outcome {
  return { status: failure.code === "cancelled" ? "cancelled" : "error", reason: failure.reason ?? failure.code };
}
