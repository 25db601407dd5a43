export type { UpstreamAnswer, UpstreamCall, UpstreamContext, UpstreamNotification, UpstreamReply } from "./call.ts";
export { eraOf, type Verdict } from "./era.ts";
export { askAllPages, requestUpstream } from "./request.ts";
export { forgetToolIndex, mirroredParameters, toolIndex } from "./tool-index.ts";
