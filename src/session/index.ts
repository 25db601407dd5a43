export {
  addSubscription,
  endSession,
  knowNew,
  markDiverged,
  readFacts,
  removeSubscription,
  rereadFacts,
  setLogLevel,
} from "./facts.ts";
export type { Replay } from "./event-rows.ts";
export { mintSessionId, newOwner, openSessionId, type SessionGrant } from "./id.ts";
export { keepEvents, replayEvents } from "./kept-events.ts";
export { isMinted, openLine, sendToLine } from "./line.ts";
export { Session } from "./session-object.ts";
export { noFacts } from "./stored.ts";
export { addTask, startedTasks } from "./tasks.ts";
export {
  claimUpstream,
  forgetUpstream,
  releaseUpstream,
  storeUpstream,
  type UpstreamClaim,
} from "./upstream-sessions.ts";
export type {
  ClientSession,
  Facts,
  KeptEvent,
  Line,
  LineMessage,
  ResponseBody,
  SessionContext,
  Subscription,
  UpstreamSession,
} from "./types.ts";
