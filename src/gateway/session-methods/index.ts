/** What only sessions of the 2025 revisions have: their beginning and end, their stream, and state that outlives a request. */
export { end } from "./end.ts";
export { initialize } from "./initialize.ts";
export { setLogLevel } from "./log-level.ts";
export { pong } from "./pong.ts";
export { rootsWait_ms, tellRootsChanged } from "./roots.ts";
export { openStream } from "./stream.ts";
export { subscribe, unsubscribe } from "./subscriptions.ts";
export { listTasks } from "./task-list.ts";
