/** What goes on the wire upstream. */
export { authenticationFor } from "./authenticate.ts";
export { callerUser, type Caller, type OutboundContext } from "./context.ts";
export { holderOf } from "./holder.ts";
export { namesSet } from "./names-set.ts";
export type { Authentication, Proof } from "./part.ts";
export { afterAnswer, afterRefusal, type Refused } from "./refusal.ts";
