/** HTTP/1.1 by hand, for requests that no client library would send: foreign Host values, doubled or malformed headers. */
import { connect } from "node:net";

export interface RawAnswer {
  /** 0 when the server closed without an answer. */
  readonly status: number;
  /** In the order and case of the wire. */
  readonly headers: readonly (readonly [string, string])[];
  /** The last value of a header, by lower-case name. */
  header(name: string): string | undefined;
  readonly body: string;
  /** Everything that arrived. */
  readonly raw: string;
}

export interface RawRequest {
  readonly method?: string;
  /** The request target as it goes on the wire: a path, `*` or an absolute URL. */
  readonly target?: string;
  /** Sent in this order and as they are; nothing is added but Content-Length, when there is a body and neither it nor Transfer-Encoding is given. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: string | Uint8Array;
}

const timeout_ms = 10_000;

/** Sends the bytes as they are and reads until the server closes or its answer is complete. */
export async function rawBytes(url: URL, bytes: string | Uint8Array): Promise<RawAnswer> {
  return await new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const socket = connect({ host: "127.0.0.1", port: Number(url.port) }, () => socket.write(bytes));
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`No complete answer within ${timeout_ms} ms: ${received.toString("latin1").slice(0, 500)}`));
    }, timeout_ms);
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(parse(received));
    };
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (isComplete(received)) finish();
    });
    socket.once("end", finish);
    // A reset after a refusal is an answer as well: what arrived before it counts.
    socket.once("error", finish);
  });
}

/** Sends one request and returns its answer. */
export async function rawRequest(url: URL, request: RawRequest): Promise<RawAnswer> {
  const body = Buffer.from(request.body ?? "");
  const framed = request.headers.some(([name]) => /^(?:content-length|transfer-encoding)$/i.test(name));
  const lines = request.headers.map(([name, value]) => `${name}: ${value}\r\n`);
  if (request.body !== undefined && !framed) lines.push(`Content-Length: ${body.length}\r\n`);
  const head = `${request.method ?? "GET"} ${request.target ?? "/"} HTTP/1.1\r\n${lines.join("")}\r\n`;
  return await rawBytes(url, Buffer.concat([Buffer.from(head, "latin1"), body]));
}

interface Head {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

function split(received: Buffer): Head | undefined {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = received.subarray(0, end).toString("latin1").split("\r\n");
  const headers = lines.map((line): readonly [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  return { status: Number(first.split(" ")[1] ?? 0), headers, body: received.subarray(end + 4) };
}

const lookUp = (headers: readonly (readonly [string, string])[], name: string): string | undefined =>
  headers.findLast(([one]) => one.toLowerCase() === name)?.[1];

function isComplete(received: Buffer): boolean {
  const head = split(received);
  if (head === undefined) return false;
  const length = lookUp(head.headers, "content-length");
  if (length !== undefined) return head.body.length >= Number(length);
  if (lookUp(head.headers, "transfer-encoding") === "chunked")
    return head.body.toString("latin1").endsWith("0\r\n\r\n");
  return head.status === 204 || head.status === 304;
}

function unchunk(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  let rest = body;
  for (;;) {
    const line = rest.indexOf("\r\n");
    const size = Number.parseInt(rest.subarray(0, Math.max(line, 0)).toString("latin1"), 16);
    if (line < 0 || !Number.isFinite(size) || size === 0) return Buffer.concat(parts);
    parts.push(rest.subarray(line + 2, line + 2 + size));
    rest = rest.subarray(line + 2 + size + 2);
  }
}

function parse(received: Buffer): RawAnswer {
  const head = split(received) ?? { status: 0, headers: [], body: Buffer.alloc(0) };
  const chunked = lookUp(head.headers, "transfer-encoding") === "chunked";
  return {
    status: head.status,
    headers: head.headers,
    header: (name) => lookUp(head.headers, name),
    body: (chunked ? unchunk(head.body) : head.body).toString("utf8"),
    raw: received.toString("latin1"),
  };
}
