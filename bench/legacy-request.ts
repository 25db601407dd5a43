/** What a client of 2025-11-25 sends, for raw sockets and for `fetch`. */

const version = "2025-11-25";

export interface LegacyRequest {
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
  /** None makes it a notification. */
  readonly id?: number;
  readonly token: string;
  readonly session?: string;
}

export interface Written {
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** @see MCP 2025-11-25 transports, "Streamable HTTP" */
export function legacyRequest({ method, params, id, token, session }: LegacyRequest): Written {
  return {
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      authorization: `Bearer ${token}`,
      // What is agreed on in `initialize` holds for what follows it.
      ...(method === "initialize" ? {} : { "mcp-protocol-version": version }),
      ...(session === undefined ? {} : { "mcp-session-id": session }),
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      ...(id === undefined ? {} : { id }),
      method,
      ...(params === undefined ? {} : { params }),
    }),
  };
}

/** @see MCP 2025-11-25 lifecycle, "Initialization" */
export const initializeRequest = (token: string): Written =>
  legacyRequest({
    method: "initialize",
    id: 1,
    params: {
      protocolVersion: version,
      capabilities: {},
      clientInfo: { name: "gatehouse-bench", version: "1.0.0" },
    },
    token,
  });

export const initializedNotification = (token: string, session?: string): Written =>
  legacyRequest({ method: "notifications/initialized", token, ...(session === undefined ? {} : { session }) });

const timeout_ms = 30_000;

/** Opens a session. @returns its id @throws when the other side refuses or gives none */
export async function openSession(endpoint: URL, token: string): Promise<string> {
  const send = (request: Written): Promise<Response> =>
    fetch(endpoint, { method: "POST", ...request, signal: AbortSignal.timeout(timeout_ms) });
  const answer = await send(initializeRequest(token));
  const text = await answer.text();
  const id = answer.headers.get("mcp-session-id");
  if (!answer.ok || id === null) throw new Error(`No session: HTTP ${answer.status} ${text}`);
  const told = await send(initializedNotification(token, id));
  await told.text();
  if (!told.ok) throw new Error(`No session: HTTP ${told.status}`);
  return id;
}
