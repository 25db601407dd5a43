/** A request of a client after all checks, the same for both eras: what the rest of the program works with. */
import type { JsonObject } from "../ports.ts";
import type { MethodEntry } from "./method-table.ts";

export type Era = "modern" | "legacy";

/** What the client says of itself and of this request. Informational, but for the capabilities. */
export interface RequestMeta {
  /** Not verified, never a base for decisions. */
  readonly clientInfo?: { readonly name: string; readonly version?: string };
  /** Of this request in 2026-07-28, of the session in the 2025 revisions. */
  readonly clientCapabilities: JsonObject;
  /** Of this request in 2026-07-28, of the session in the 2025 revisions. */
  readonly logLevel?: string;
  readonly progressToken?: string | number;
}

export interface ClientRequest {
  readonly era: Era;
  /** The revision that this request is in. */
  readonly version: string;
  readonly id: string | number;
  readonly method: MethodEntry;
  readonly methodName: string;
  readonly params: JsonObject;
  /** Tool, prompt, URI or task id, as in the body; undefined for methods without one. */
  readonly name: string | undefined;
  readonly meta: RequestMeta;
}
