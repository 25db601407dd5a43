/** What needs no answer: notifications of the client, and its answers to requests of servers. */
import type { Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import type { Result } from "../../ports.ts";
import {
  encodeNotification,
  readClientNotification,
  type PostedResponse,
  type RpcNotification,
} from "../../protocol/index.ts";
import { exchangeOf, type Caller } from "../caller.ts";
import { contextOf } from "../exchange.ts";
import { permittedServers } from "../permit.ts";
import { sendToLine } from "../session/index.ts";
import { tell } from "../upstream/index.ts";
import { bodilessRequest } from "./bodiless.ts";
import type { Session } from "./resume.ts";

const taken = (): Response => new Response(null, { status: 202 });

/** Goes to the call or stream that handed the request on; to nobody else, whatever id it names. */
export async function takeAnswer(
  caller: Caller,
  { client }: Session,
  { id, response }: PostedResponse,
): Promise<Response> {
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
      return answered(
        caller,
        await sendToLine(caller.front, owner, { kind: "progress", token: String(read.token), params }),
      );
    }
    case "roots_changed":
      caller.front.platform.waitUntil(tellRootsChanged(caller, session));
      return taken();
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

/** Every server that has a session with this client asked for its roots, or may have. */
async function tellRootsChanged(caller: Caller, session: Session): Promise<void> {
  const exchange = exchangeOf(caller, bodilessRequest("notifications/roots/list_changed", session), 0, session);
  const context = contextOf(exchange);
  const notification = encodeNotification("notifications/roots/list_changed");
  await Promise.all(
    permittedServers(exchange).map(async ({ server }) => {
      const upstream = session.facts.upstreams.find(({ server_id }) => server_id === server.id);
      if (upstream?.revision !== server.revision) return;
      const told = await tell(context, server, upstream, notification, { total_ms: limits.eraProbe_ms });
      if (!told.ok) context.platform.log("info", "A notification did not reach the upstream", { server: server.slug });
    }),
  );
}
