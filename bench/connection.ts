/**
 * One kept-alive HTTP/1.1 connection. `node:http` costs the generator four times as much per call, and what the generator
 * uses is missing elsewhere.
 */
import { connect, type Socket } from "node:net";

export interface Answer {
  readonly status: number;
  /** Status line and headers. */
  readonly head: string;
  readonly body: Buffer;
}

export interface Connection {
  /** Sends the bytes and reads one whole answer. */
  exchange(request: Buffer): Promise<Answer>;
  close(): void;
}

/** @throws when the other side closes, sends what is not HTTP, or is silent for `timeout_ms` */
export async function openConnection(port: number, timeout_ms: number): Promise<Connection> {
  const socket: Socket = connect({ host: "127.0.0.1", port, noDelay: true });
  let received: Buffer = Buffer.alloc(0);
  let waiting: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;

  const fail = (error: Error): void => {
    socket.destroy();
    waiting?.reject(error);
    waiting = undefined;
  };
  socket.setTimeout(timeout_ms, () => fail(new Error(`No answer within ${timeout_ms} ms.`)));
  socket.on("error", fail);
  socket.on("close", () => fail(new Error("The connection was closed.")));
  socket.on("data", (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const parsed = parseAnswer(received);
    if (parsed === undefined) return;
    received = received.subarray(parsed.length_bytes);
    const { resolve } = waiting ?? {};
    waiting = undefined;
    resolve?.(parsed.answer);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return {
    exchange: (request) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(request);
      }),
    close() {
      waiting = undefined;
      socket.destroy();
    },
  };
}

const endOfHead = Buffer.from("\r\n\r\n");
const lineBreak = Buffer.from("\r\n");

/** @returns undefined while the answer is not complete */
function parseAnswer(bytes: Buffer): { answer: Answer; length_bytes: number } | undefined {
  const end = bytes.indexOf(endOfHead);
  if (end < 0) return undefined;
  const head = bytes.toString("latin1", 0, end);
  const status = Number(head.slice(9, 12));
  const start = end + endOfHead.length;
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const stop = start + Number(length);
    return bytes.length < stop
      ? undefined
      : { answer: { status, head, body: bytes.subarray(start, stop) }, length_bytes: stop };
  }
  const chunks: Buffer[] = [];
  for (let at = start; ;) {
    const line = bytes.indexOf(lineBreak, at);
    if (line < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, line), 16);
    const stop = line + 2 + size + 2;
    if (bytes.length < stop) return undefined;
    if (size === 0) return { answer: { status, head, body: Buffer.concat(chunks) }, length_bytes: stop };
    chunks.push(bytes.subarray(line + 2, stop - 2));
    at = stop;
  }
}
