/** Correct 2026-07-28 requests, and what answers them, for tests that break exactly one thing. */

export const modernVersion = "2026-07-28";

export interface ModernRequest {
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly id?: string | number;
  /** Bearer token; no Authorization header without it. */
  readonly token?: string;
  /** `_meta` clientCapabilities; none are declared by default. */
  readonly capabilities?: Readonly<Record<string, unknown>>;
  /** More members of `_meta`, or others in place of the right ones; undefined takes one away. */
  readonly meta?: Readonly<Record<string, unknown>>;
  /** More headers, or others in place of the right ones (lower case); undefined takes one away. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

/** Values that a header cannot carry travel as base64. @see MCP 2026-07-28, streamable HTTP, "Value Encoding" */
export function headerValue(value: string): string {
  const plain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value) && !/^=\?base64\?.*\?=$/.test(value);
  return plain ? value : `=?base64?${Buffer.from(value, "utf8").toString("base64")}?=`;
}

/** What `Mcp-Name` mirrors for each method that has it. */
function mirroredName(method: string, params: Readonly<Record<string, unknown>>): string | undefined {
  const member =
    method === "resources/read"
      ? "uri"
      : method.startsWith("tasks/")
        ? "taskId"
        : method === "tools/call" || method === "prompts/get"
          ? "name"
          : undefined;
  const value = member === undefined ? undefined : params[member];
  return typeof value === "string" ? value : undefined;
}

/** The headers and the body of the request, for `fetch` or for raw sockets. */
export function modernRequest(request: ModernRequest): { headers: Record<string, string>; body: string } {
  const params = request.params ?? {};
  const body = JSON.stringify({
    jsonrpc: "2.0",
    id: request.id ?? 1,
    method: request.method,
    params: {
      ...params,
      _meta: {
        "io.modelcontextprotocol/protocolVersion": modernVersion,
        "io.modelcontextprotocol/clientInfo": { name: "gatehouse-tests", version: "1.0.0" },
        "io.modelcontextprotocol/clientCapabilities": request.capabilities ?? {},
        ...request.meta,
      },
    },
  });
  const name = mirroredName(request.method, params);
  const merged: Record<string, string | undefined> = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": modernVersion,
    "mcp-method": request.method,
    "mcp-name": name === undefined ? undefined : headerValue(name),
    authorization: request.token === undefined ? undefined : `Bearer ${request.token}`,
    ...request.headers,
  };
  const headers: Record<string, string> = {};
  for (const [key, value] of Object.entries(merged)) if (value !== undefined) headers[key] = value;
  return { headers, body };
}

export interface RpcMessage {
  readonly jsonrpc?: string;
  readonly id?: string | number | null;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

export interface ModernAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Every message: one for a JSON answer, all events for a stream. */
  readonly messages: readonly RpcMessage[];
  /** The last message, which holds the result or the error. */
  readonly message: RpcMessage | undefined;
  readonly text: string;
}

const timeout_ms = 30_000;

/** The messages of a JSON or event-stream body. */
export function messagesOf(contentType: string | null, text: string): RpcMessage[] {
  if (text === "") return [];
  if (contentType?.startsWith("text/event-stream") !== true) {
    return contentType?.includes("json") === true ? [JSON.parse(text) as RpcMessage] : [];
  }
  return text
    .split(/\r?\n\r?\n/)
    .map((event) =>
      event
        .split(/\r?\n/)
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5).trimStart())
        .join("\n"),
    )
    .filter((data) => data !== "")
    .map((data) => JSON.parse(data) as RpcMessage);
}

/** Sends the request to an MCP endpoint and reads its answer to the end. */
export async function callModern(endpoint: URL, request: ModernRequest): Promise<ModernAnswer> {
  const { headers, body } = modernRequest(request);
  const response = await fetch(endpoint, {
    method: "POST",
    headers,
    body,
    redirect: "manual",
    signal: AbortSignal.timeout(timeout_ms),
  });
  const text = await response.text();
  const messages = messagesOf(response.headers.get("content-type"), text);
  return { status: response.status, headers: response.headers, messages, message: messages.at(-1), text };
}
