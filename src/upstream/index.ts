export type {
  UpstreamAnswer,
  UpstreamAsk,
  UpstreamCall,
  UpstreamContext,
  UpstreamMessage,
  UpstreamNotification,
  UpstreamReply,
} from "./call.ts";
export { eraOf, type Verdict } from "./era.ts";
export { closeUpstreamSession, tell } from "./legacy-session.ts";
export { askAllPages, askUpstream, requestUpstream } from "./request.ts";
export { tryCredential } from "./try-credential.ts";
export { watchUpstream, type Watch, type WatchFilter } from "./watch.ts";
