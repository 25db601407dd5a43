/** What needs no answer: notifications of the client, and its answers to requests of servers. */
import type { Failure } from "../../errors.ts";
import type { Result } from "../../ports.ts";
import { isObject, readClientNotification, type PostedResponse, type RpcNotification } from "../../protocol/index.ts";
import { isMinted, sendToLine } from "../../session/index.ts";
import { exchangeOf, type Caller } from "../caller.ts";
import { dispatch } from "../dispatch.ts";
import { rootsWait_ms } from "../session-methods/index.ts";
import { bodilessRequest } from "./bodiless.ts";
import type { Session } from "./resume.ts";

const taken = (): Response => new Response(null, { status: 202 });

/** Goes to the call or stream that handed the request on; to nobody else, whatever id it names. */
export async function takeAnswer(
  caller: Caller,
  { client }: Session,
  { id, response }: PostedResponse,
): Promise<Response> {
  if (!isMinted(String(id))) return taken();
  const sent = await sendToLine(caller.front, client.owner, { kind: "answer", id: String(id), response });
  return answered(caller, sent);
}

export async function takeNotification(
  caller: Caller,
  session: Session,
  notification: RpcNotification,
): Promise<Response> {
  const { owner } = session.client;
  const read = readClientNotification(notification);
  switch (read.kind) {
    case "cancelled": {
      const { request_id, params } = read;
      return answered(caller, await sendToLine(caller.front, owner, { kind: "cancelled", request_id, params }));
    }
    case "progress": {
      const { params } = read;
      if (!isMinted(String(read.token))) return taken();
      return answered(
        caller,
        await sendToLine(caller.front, owner, { kind: "progress", token: String(read.token), params }),
      );
    }
    case "roots_changed":
      return rootsChanged(caller, session);
    case "initialized":
    case "other":
      return taken();
  }
}

/** The sender can do nothing about a lost notification; that it was lost is for the log. */
function answered(caller: Caller, sent: Result<void, Failure>): Response {
  if (!sent.ok) {
    caller.front.platform.log("warn", "A message of a session was lost", { reason: sent.error.reason });
  }
  return taken();
}

/** The one notification that goes on to servers, so it is recorded like a request. */
async function rootsChanged(caller: Caller, session: Session): Promise<Response> {
  const { roots } = session.client.clientCapabilities;
  if (!isObject(roots) || roots["listChanged"] !== true) return taken();
  const exchange = exchangeOf(caller, bodilessRequest("notifications/roots/list_changed", session), 0, session);
  const wait_ms = rootsWait_ms(exchange);
  if (wait_ms === undefined) return taken();
  if (wait_ms === 0) return dispatch(exchange);
  const { platform } = caller.front;
  platform.waitUntil(platform.ports.clock.sleep(wait_ms).then(() => dispatch(exchange)));
  return taken();
}
