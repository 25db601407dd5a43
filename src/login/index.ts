export { authEvent, type AuthAct } from "./auth-event.ts";
export type { Visit } from "./visit.ts";
