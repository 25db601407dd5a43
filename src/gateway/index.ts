export type { Front } from "./caller.ts";
export { handleMcp } from "./front.ts";
export { tryCredential } from "./try-credential.ts";
