/** Notifications of clients of the 2025 revisions. Nobody can be answered, so what is not valid means nothing. */
import type { JsonObject } from "../ports.ts";
import { member } from "./json.ts";
import { isId, type RpcNotification } from "./message.ts";

type ClientNotification =
  | { readonly kind: "initialized" }
  /** The client wants no answer to its request any more. */
  | { readonly kind: "cancelled"; readonly request_id: string | number; readonly params: JsonObject }
  /** The client works on a request of a server. */
  | { readonly kind: "progress"; readonly token: string | number; readonly params: JsonObject }
  | { readonly kind: "roots_changed" }
  | { readonly kind: "other" };

/** @see MCP 2025-11-25 schema, `ClientNotification` */
export function readClientNotification({ method, params = {} }: RpcNotification): ClientNotification {
  switch (method) {
    case "notifications/initialized":
      return { kind: "initialized" };
    case "notifications/roots/list_changed":
      return { kind: "roots_changed" };
    case "notifications/cancelled": {
      const request_id = member(params, "requestId");
      return isId(request_id) ? { kind: "cancelled", request_id, params } : { kind: "other" };
    }
    case "notifications/progress": {
      const token = member(params, "progressToken");
      const valid = isId(token) && typeof member(params, "progress") === "number";
      return valid ? { kind: "progress", token, params } : { kind: "other" };
    }
    default:
      return { kind: "other" };
  }
}
