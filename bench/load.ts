/**
 * A process: calls a target over a fixed number of connections, the next call of each when its last one is answered, and
 * compares every answer byte for byte with the right one. Bounded in calls and in time.
 */
import { openConnection, type Connection } from "./connection.ts";
import { answerWith } from "./peer.ts";
import { quantile } from "./statistics.ts";

/** In the bodies of request and answer, for the id of the call: seven digits. */
export const idMark = "1000000";

export interface Load {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The right answer. Without it one call is made and its answer returned. */
  readonly expected?: string;
  readonly connections: number;
  readonly calls: number;
}

export interface Measured {
  readonly calls: number;
  readonly wall_us: number;
  readonly p50_us: number;
  readonly p99_us: number;
  /** Only without `expected`. */
  readonly answer?: string;
}

const call_ms = 15_000;
/** A target that is this slow is broken: the run ends with an error instead of going on for ever. */
const load_ms_max = 60_000;

const idMember = Buffer.from(`"id":${idMark}`);
const idOffset = idMember.length - idMark.length;

/** Text with a place for the id, which is written anew for every call. */
function template(text: Buffer, bodyAt: number): { bytes: Buffer; setId(id: number): void } {
  const at = text.indexOf(idMember, bodyAt);
  if (at < 0) throw new Error("The message has no id.");
  return { bytes: text, setId: (id) => void text.write(String(id), at + idOffset, "latin1") };
}

function requestBytes({ port, path, headers, body }: Load): { bytes: Buffer; setId(id: number): void } {
  const fields = Object.entries({
    host: `localhost:${port}`,
    ...headers,
    "content-length": String(Buffer.byteLength(body)),
  });
  const head = `POST ${path} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  return template(Buffer.from(head + body), head.length);
}

function wrongAnswer(status: number, body: Buffer): Error {
  return new Error(`A wrong answer: HTTP ${status} ${body.toString("utf8", 0, 500)}`);
}

async function single(load: Load): Promise<Measured> {
  const connection = await openConnection(load.port, call_ms);
  const { status, body } = await connection.exchange(requestBytes(load).bytes);
  connection.close();
  if (status !== 200) throw wrongAnswer(status, body);
  return { calls: 1, wall_us: 0, p50_us: 0, p99_us: 0, answer: body.toString("utf8") };
}

async function run(load: Load): Promise<Measured> {
  if (load.expected === undefined) return single(load);
  const { expected } = load;
  const connections = await Promise.all(
    Array.from({ length: load.connections }, () => openConnection(load.port, call_ms)),
  );
  const latencies_us = new Float64Array(load.calls);
  let started = 0;
  const begun_ms = performance.now();

  async function work(connection: Connection): Promise<void> {
    const request = requestBytes(load);
    const right = template(Buffer.from(expected), 0);
    while (started < load.calls) {
      const call = started++;
      const id = Number(idMark) + call;
      request.setId(id);
      right.setId(id);
      const sent_ms = performance.now();
      const { status, body } = await connection.exchange(request.bytes);
      const answered_ms = performance.now();
      latencies_us[call] = (answered_ms - sent_ms) * 1000;
      if (status !== 200 || !body.equals(right.bytes)) throw wrongAnswer(status, body);
      if (answered_ms - begun_ms > load_ms_max)
        throw new Error(`${load.calls} calls took more than ${load_ms_max} ms.`);
    }
  }

  try {
    await Promise.all(connections.map(work));
  } finally {
    for (const connection of connections) connection.close();
  }
  const wall_us = (performance.now() - begun_ms) * 1000;
  latencies_us.sort();
  return { calls: load.calls, wall_us, p50_us: quantile(latencies_us, 0.5), p99_us: quantile(latencies_us, 0.99) };
}

// Also imported for its types and the mark.
if (import.meta.main) answerWith<Load, Measured>(run);
