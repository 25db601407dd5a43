/** The way out: `safeFetch`, the only caller of the platform's fetch. */
export { checkUrl, type EgressPolicy } from "./address.ts";
export { createConnectionBudget, type ConnectionBudget, type Release } from "./connections.ts";
export { EgressAbort, Excuse } from "./exchange.ts";
export type { SafeResponse } from "./response.ts";
export { createSafeFetch, type SafeFetch, type SafeRequest } from "./safe-fetch.ts";
export { arrivedThroughGatehouse } from "./wire-headers.ts";
