/** What is known of a client's session of the 2025 revisions, and what travels on the line to whoever serves it. */
import type { Platform } from "../platform.ts";
import type { Json, JsonObject } from "../ports.ts";
import type { TenantHost } from "../tenant/index.ts";

/** What the sealed session id carries: all that a plain call needs, so that it wakes no object. */
export interface ClientSession {
  /** Key of the session's state, random; the id that the client holds is a sealed handle around it. */
  readonly owner: string;
  /** The negotiated revision: 2025-03-26, 2025-06-18 or 2025-11-25. */
  readonly version: string;
  /** Not verified. */
  readonly clientInfo?: { readonly name: string; readonly version?: string };
  /** Cut to what Gatehouse relays: `sampling`, `elicitation`, `roots`. */
  readonly clientCapabilities: JsonObject;
  /** Milliseconds since the Unix epoch after which the id no longer opens. */
  readonly expires_at: number;
}

/** A session with one upstream server, as it is stored for its owner. */
export interface UpstreamSession {
  readonly server_id: string;
  /** Of the server's configuration: a session of an older revision is not used. */
  readonly revision: number;
  /** Absent when the server keeps none. */
  readonly id: string | undefined;
  readonly version: string;
  readonly capabilities: JsonObject;
  readonly instructions: string | undefined;
  /** The server changed a list in this session, so the shared catalog no longer speaks for it. */
  readonly diverged: boolean;
}

export interface Subscription {
  readonly server_id: string;
  /** By the server's own name. */
  readonly uri: string;
}

/** The state of one owner: a client session, or a principal whose 2026-07-28 requests reach servers of 2025. */
export interface Facts {
  /** Deleted by the client: nothing of it works again. */
  readonly ended: boolean;
  readonly log_level: string | undefined;
  readonly subscriptions: readonly Subscription[];
  readonly upstreams: readonly UpstreamSession[];
}

/** What reaches the invocation at the other end of a line. */
export type LineMessage =
  /** The client answered a request that went out under `id`: `response` has `result` or `error`. */
  | { readonly kind: "answer"; readonly id: string; readonly response: JsonObject }
  /** The client reports progress of such a request. */
  | { readonly kind: "progress"; readonly token: string; readonly params: JsonObject }
  /** The client cancelled its own request. */
  | { readonly kind: "cancelled"; readonly request_id: string | number; readonly params: JsonObject }
  /** The facts changed, or something may have been missed. */
  | { readonly kind: "changed" }
  /** The session is over, another stream took this one's place, or the line is gone: closed, or broken for good. */
  | { readonly kind: "ended"; readonly reason: "deleted" | "replaced" | "lost" };

/** An open line from an invocation to the object that holds the session. */
export interface Line {
  /** Ids that start with `{id}.` are routed to this line. */
  readonly id: string;
  /** The next message; never rejects. `ended` is the last one. */
  next(): Promise<LineMessage>;
  close(): void;
}

/** An event of a stream, kept for a client that lost the connection. */
export interface KeptEvent {
  readonly seq: number;
  readonly text: string;
}

export interface SessionContext {
  readonly platform: Platform;
  readonly tenant: TenantHost;
}

export type ResponseBody = { readonly result: Json } | { readonly error: Json };
