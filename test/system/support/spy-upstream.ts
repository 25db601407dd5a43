/** An upstream that keeps every request as it came, and answers by script: the witness of what the gateway sends. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export interface Recorded {
  readonly method: string;
  /** Request target as on the wire. */
  readonly target: string;
  /** In the order and case of the wire. */
  readonly headers: readonly (readonly [string, string])[];
  /** All values of a header, by lower-case name. */
  values(name: string): readonly string[];
  readonly body: Buffer;
  /** The body as JSON. @throws when it is none */
  json(): RpcRequest;
  /** Head and body as one text, to search for secrets. */
  readonly text: string;
  /** True once the gateway closed the connection before the answer was complete. */
  readonly aborted: boolean;
}

export interface RpcRequest {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
}

export interface SpyAnswer {
  /** 200 by default. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Sent as it is; objects as JSON. Chunks of an iterable are sent one by one. */
  readonly body?: string | Uint8Array | Readonly<Record<string, unknown>> | AsyncIterable<string | Uint8Array>;
  /** "never": no answer at all. "reset": the connection is cut. */
  readonly instead?: "never" | "reset";
}

export type Script = (request: Recorded) => SpyAnswer | Promise<SpyAnswer>;

export interface SpyUpstream {
  /** Its MCP endpoint. */
  readonly url: URL;
  readonly requests: readonly Recorded[];
  /** Requests whose JSON-RPC method is this one. */
  of(rpcMethod: string): readonly Recorded[];
  /** Replaces the script. */
  answer(script: Script): void;
  /** Forgets what was recorded. */
  clear(): void;
  close(): Promise<void>;
}

interface MutableRecord extends Recorded {
  aborted: boolean;
}

async function record(incoming: IncomingMessage): Promise<MutableRecord> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const headers: [string, string][] = [];
  for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2) {
    headers.push([incoming.rawHeaders[at] ?? "", incoming.rawHeaders[at + 1] ?? ""]);
  }
  const method = incoming.method ?? "";
  const target = incoming.url ?? "";
  const head = [`${method} ${target}`, ...headers.map(([name, value]) => `${name}: ${value}`)].join("\n");
  return {
    method,
    target,
    headers,
    values: (name) => headers.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value),
    body,
    json: () => JSON.parse(body.toString("utf8")) as RpcRequest,
    text: `${head}\n\n${body.toString("utf8")}`,
    aborted: false,
  };
}

const isIterable = (body: SpyAnswer["body"]): body is AsyncIterable<string | Uint8Array> =>
  typeof body === "object" && body !== null && Symbol.asyncIterator in body;

const isPlain = (body: SpyAnswer["body"]): body is Readonly<Record<string, unknown>> =>
  typeof body === "object" && !(body instanceof Uint8Array) && !isIterable(body);

async function send(answer: SpyAnswer, outgoing: ServerResponse): Promise<void> {
  const { body } = answer;
  if (answer.instead === "never") return;
  if (answer.instead === "reset") {
    outgoing.destroy();
    return;
  }
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    outgoing.setHeader(name, typeof value === "string" ? value : [...value]);
  }
  if (isPlain(body) && !outgoing.hasHeader("content-type")) outgoing.setHeader("content-type", "application/json");
  if (isIterable(body) && !outgoing.hasHeader("content-type")) {
    outgoing.setHeader("content-type", "text/event-stream");
  }
  outgoing.writeHead(answer.status ?? 200);
  if (isIterable(body)) {
    outgoing.flushHeaders();
    for await (const chunk of body) {
      if (outgoing.destroyed) return;
      outgoing.write(chunk);
    }
    outgoing.end();
    return;
  }
  outgoing.end(isPlain(body) ? JSON.stringify(body) : body);
}

/** Starts the spy on loopback. `spy-servers.ts` has scripts that answer as MCP servers. */
export async function startSpyUpstream(script: Script): Promise<SpyUpstream> {
  const requests: MutableRecord[] = [];
  let current = script;
  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const recorded = await record(incoming);
      requests.push(recorded);
      outgoing.once("close", () => {
        recorded.aborted = !outgoing.writableFinished;
      });
      await send(await current(recorded), outgoing);
    })().catch((error: unknown) => {
      // A script that throws is a broken test: the gateway sees a dead upstream, the terminal says why.
      process.stderr.write(`spy upstream: ${error instanceof Error ? (error.stack ?? "") : String(error)}\n`);
      outgoing.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: new URL(`http://127.0.0.1:${port}/mcp`),
    requests,
    of: (rpcMethod) => requests.filter((one) => one.body.length > 0 && one.json().method === rpcMethod),
    answer: (next) => {
      current = next;
    },
    clear: () => {
      requests.length = 0;
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
