/**
 * A process: calls a target over a fixed number of connections, the next call of each when its last one is answered, and
 * compares every answer byte for byte with the right one. Bounded in calls and in time. It also opens the sessions that calls
 * are made in, and keeps their ids: ten thousand of them are too many to hand back and forth.
 */
import { openConnection, type Answer, type Connection } from "./connection.ts";
import { expectedAnswer, idMark, postBytes, requestTemplate, type Sent, type Template } from "./message.ts";
import { answerWith } from "./peer.ts";
import { quantile } from "./statistics.ts";

export interface Load extends Sent {
  /** The right answer. Without it one call is made and its answer returned. */
  readonly expected?: string;
  readonly connections: number;
  readonly calls: number;
  /** The calls go round the first so many sessions that were opened on this port and path, from load to load. */
  readonly sessions?: number;
}

/** Opens sessions of the 2025 revisions, until so many are open on this port and path. */
export interface Opening extends Sent {
  /** `body` is `initialize`; this one follows it. */
  readonly initialized: Pick<Sent, "headers" | "body">;
  readonly open: number;
  readonly connections: number;
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

interface Opened {
  readonly ids: string[];
  /** Whose turn it is. */
  next: number;
}

const sessions = new Map<string, Opened>();

function sessionsAt({ port, path }: Sent): Opened {
  const key = `${port} ${path}`;
  const known = sessions.get(key) ?? { ids: [], next: 0 };
  sessions.set(key, known);
  return known;
}

const inSession = (sent: Sent, id: string | undefined): Sent =>
  id === undefined ? sent : { ...sent, headers: { ...sent.headers, "mcp-session-id": id } };

function wrongAnswer({ status, body }: Answer): Error {
  return new Error(`A wrong answer: HTTP ${status} ${body.toString("utf8", 0, 500)}`);
}

async function single(load: Load): Promise<Measured> {
  const connection = await openConnection(load.port, call_ms);
  const id = load.sessions === undefined ? undefined : sessionsAt(load).ids[0];
  const sent_ms = performance.now();
  const answer = await connection.exchange(requestTemplate(inSession(load, id)).bytes);
  const wall_us = (performance.now() - sent_ms) * 1000;
  connection.close();
  if (answer.status !== 200) throw wrongAnswer(answer);
  return { calls: 1, wall_us, p50_us: wall_us, p99_us: wall_us, answer: answer.body.toString("utf8") };
}

/** Does `work` on each of so many connections. @returns how long all of it took, in microseconds */
async function over(port: number, count: number, work: (connection: Connection) => Promise<void>): Promise<number> {
  const connections = await Promise.all(Array.from({ length: count }, () => openConnection(port, call_ms)));
  const begun_ms = performance.now();
  try {
    await Promise.all(connections.map(work));
  } finally {
    for (const connection of connections) connection.close();
  }
  return (performance.now() - begun_ms) * 1000;
}

/** Gives each call its request: one for all calls of a connection, or that of the session whose turn it is. */
function requestsOf(load: Load): () => () => Template {
  if (load.sessions === undefined) {
    return () => {
      const request = requestTemplate(load);
      return () => request;
    };
  }
  const opened = sessionsAt(load);
  if (opened.ids.length < load.sessions) throw new Error(`Only ${opened.ids.length} sessions are open.`);
  const requests = opened.ids.slice(0, load.sessions).map((id) => requestTemplate(inSession(load, id)));
  return () => () => {
    const request = requests[opened.next++ % requests.length];
    if (request === undefined) throw new Error("There are no sessions.");
    return request;
  };
}

async function run(load: Load): Promise<Measured> {
  if (load.expected === undefined) return single(load);
  const { expected } = load;
  const latencies_us = new Float64Array(load.calls);
  const requestsFor = requestsOf(load);
  let started = 0;
  const begun_ms = performance.now();
  const wall_us = await over(load.port, load.connections, async (connection) => {
    const nextRequest = requestsFor();
    const right = expectedAnswer(expected);
    while (started < load.calls) {
      const call = started++;
      const id = Number(idMark) + call;
      const request = nextRequest();
      request.setId(id);
      right.setId(id);
      const sent_ms = performance.now();
      const answer = await connection.exchange(request.bytes);
      const answered_ms = performance.now();
      latencies_us[call] = (answered_ms - sent_ms) * 1000;
      if (answer.status !== 200 || !right.matches(answer.body)) throw wrongAnswer(answer);
      if (answered_ms - begun_ms > load_ms_max)
        throw new Error(`${load.calls} calls took more than ${load_ms_max} ms.`);
    }
  });
  latencies_us.sort();
  return { calls: load.calls, wall_us, p50_us: quantile(latencies_us, 0.5), p99_us: quantile(latencies_us, 0.99) };
}

async function open(opening: Opening): Promise<Measured> {
  const { ids } = sessionsAt(opening);
  const calls = Math.max(0, opening.open - ids.length);
  let left = calls;
  const wall_us = await over(opening.port, opening.connections, async (connection) => {
    while (left > 0) {
      left -= 1;
      const answer = await connection.exchange(postBytes(opening).bytes);
      const id = /\r\nmcp-session-id: *(\S+)/i.exec(answer.head)?.[1];
      if (answer.status !== 200 || id === undefined) throw wrongAnswer(answer);
      const told = await connection.exchange(postBytes(inSession({ ...opening, ...opening.initialized }, id)).bytes);
      if (told.status !== 202) throw wrongAnswer(told);
      ids.push(id);
    }
  });
  const mean_us = calls === 0 ? 0 : (wall_us * opening.connections) / calls;
  return { calls, wall_us, p50_us: mean_us, p99_us: mean_us };
}

answerWith<Load | Opening, Measured>((question) => ("open" in question ? open(question) : run(question)));
