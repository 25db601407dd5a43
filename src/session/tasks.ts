/** The tasks of 2025-11-25 that a session has started. */
import type { Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Result } from "../ports.ts";
import { askShard } from "./shard.ts";
import type { SessionContext } from "./types.ts";

/** Remembers a task for `limits.taskHandle_ms`. Failure: `unavailable`. */
export const addTask = (
  context: SessionContext,
  owner: string,
  server_id: string,
  task_id: string,
): Promise<Result<void, Failure>> =>
  askShard(context, owner, limits.snapshotFirst_ms, (object) => object.addTask(owner, server_id, task_id));

/** Ids by the server's own names. Failure: `unavailable`. */
export const startedTasks = (
  context: SessionContext,
  owner: string,
  server_id: string,
): Promise<Result<string[], Failure>> =>
  askShard(context, owner, limits.snapshotFirst_ms, (object) => object.tasks(owner, server_id));
