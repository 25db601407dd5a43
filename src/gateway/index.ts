export type { Front } from "./caller.ts";
export { handleMcp } from "./front.ts";
