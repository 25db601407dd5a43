export { handleMcp, type Front } from "./front.ts";
export type { Endpoint } from "./exchange.ts";
