/** Changes of a server of 2026-07-28: one long request. */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type JsonObject, type Result } from "../ports.ts";
import { isObject } from "../protocol/index.ts";
import type { Target, UpstreamAnswer, UpstreamContext, UpstreamMessage, UpstreamReply } from "./call.ts";
import { requestUpstream } from "./request.ts";
import type { Watch, WatchFilter } from "./watch.ts";

/** @see MCP 2026-07-28 subscriptions, "Acknowledgement" */
export async function watchModern(
  context: UpstreamContext,
  server: Target,
  filter: WatchFilter,
  params: JsonObject,
  abort: () => void,
): Promise<Result<Watch, Failure>> {
  const reply = requestUpstream(context, server, {
    method: "subscriptions/listen",
    params: { ...params, notifications: toJson(filter) },
    total_ms: limits.listen_ms,
    mayBeSilent: true,
    // A stream of a client of 2025 is no request of that client's, so it has no id to lend.
    own: context.era === "legacy",
  });
  const close = async (): Promise<void> => {
    // Ending the iteration alone would wait for the server's next message.
    abort();
    await reply.return(err(failure("cancelled", undefined, { reason: "watch_closed" })));
  };
  const first = await reply.next();
  if (first.done === true) return err(refusal(first.value));
  const { kind, method, params: told } = first.value;
  if (kind !== "notification" || method !== "notifications/subscriptions/acknowledged") {
    await close();
    return err(failure("upstream_invalid", undefined, { reason: "not_acknowledged" }));
  }
  const { notifications } = told;
  const acknowledged = isObject(notifications) ? notifications : {};
  return ok({ acknowledged, messages: withoutAnswer(reply), close });
}

async function* withoutAnswer(reply: UpstreamReply): AsyncGenerator<UpstreamMessage, void, void> {
  yield* reply;
}

function refusal(answered: Result<UpstreamAnswer, Failure>): Failure {
  if (!answered.ok) return answered.error;
  const { response } = answered.value;
  const reason = response.kind === "error" ? `upstream_error_${response.error.code}` : "not_acknowledged";
  return failure(response.kind === "error" ? "upstream_refused" : "upstream_invalid", undefined, { reason });
}

function toJson({ resourceSubscriptions, taskIds, ...flags }: WatchFilter): JsonObject {
  return {
    ...flags,
    ...(resourceSubscriptions === undefined ? {} : { resourceSubscriptions: [...resourceSubscriptions] }),
    ...(taskIds === undefined ? {} : { taskIds: [...taskIds] }),
  };
}
