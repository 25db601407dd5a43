/** `GET` opens the stream of a session, `DELETE` ends it. */
import { failure } from "../../errors.ts";
import type { ClientRequest, MethodEntry } from "../../protocol/index.ts";
import { exchangeOf, rejected, type Caller } from "../caller.ts";
import { dispatch } from "../dispatch.ts";
import { acceptsStream, onlyPost } from "../guards.ts";
import { resume, type Session } from "./resume.ts";

const noStream = failure("not_acceptable", "The Accept header must allow text/event-stream", { reason: "accept" });

/** Some clients send the header empty before they have a session. */
const namesSession = (headers: Headers): boolean => (headers.get("mcp-session-id") ?? "") !== "";

/** @param method "GET" or "DELETE" */
export async function handleBodiless(method: string, caller: Caller): Promise<Response> {
  const refuse = (refused: typeof noStream): Promise<Response> =>
    rejected(caller, { failure: refused, size_bytes: 0, method });
  // Without a session there is nothing to listen to and nothing to end.
  if (!namesSession(caller.headers)) return refuse(onlyPost);
  if (method === "GET" && !acceptsStream(caller.headers)) return refuse(noStream);
  const session = await resume(caller);
  if (!session.ok) return refuse(session.error);
  return dispatch(exchangeOf(caller, bodilessRequest(method, session.value), 0, session.value));
}

/** What is no JSON-RPC request becomes, for the rest of the way, a method like any other, without params and without an id. */
export function bodilessRequest(method: string, { client }: Session): ClientRequest {
  return {
    era: "legacy",
    version: client.version,
    id: "",
    method: entryOf(method),
    methodName: method,
    params: {},
    name: undefined,
    meta: {
      clientCapabilities: client.clientCapabilities,
      ...(client.clientInfo === undefined ? {} : { clientInfo: client.clientInfo }),
    },
  };
}

/** Whatever is asked for without a JSON-RPC request: about no name, and without params to check. */
const entryOf = (method: string): MethodEntry => ({
  ...{ method, nameParam: undefined, inputRequired: false, lists: undefined, capability: undefined },
  check: () => undefined,
});
