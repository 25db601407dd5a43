/**
 * A line to the object of a session: what was POSTed to one invocation reaches the call or stream that another one serves. The
 * object sleeps while nothing is said.
 * @see Cloudflare Durable Objects, "WebSocket Hibernation API"
 */
import { base64url } from "jose";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { decodeFrame, encodeFrame } from "./frame.ts";
import type { LineRequest } from "./line-rows.ts";
import { askShard } from "./shard.ts";
import type { Line, LineMessage, SessionContext } from "./types.ts";

const id_bytes = 16;
const switching_protocols = 101;
const too_many_requests = 429;
const done_code = 1000;

type Ended = Extract<LineMessage, { kind: "ended" }>;
type Connect = (resumed: boolean) => Promise<Result<WebSocket, Failure>>;

/**
 * Opens a line. The caller closes it; an invocation that ends without doing so leaves a broken line behind, for which answers
 * are kept for a while. A newer stream takes the place of an older one.
 * Failures: `too_many` past `limits.linesPerOwner_count`, `unavailable`. A session that is over gives a line that says so.
 * @param request_id of the request that a call serves: a cancellation that came before the line is then still heard
 */
export async function openLine(
  context: SessionContext,
  owner: string,
  { role, request_id }: { readonly role: "call" | "stream"; readonly request_id?: string | number },
): Promise<Result<Line, Failure>> {
  const { clock, random } = context.platform.ports;
  const id = base64url.encode(random.bytes(id_bytes));
  const request = { id, owner, role, request_id: request_id === undefined ? null : JSON.stringify(request_id) };
  const connect: Connect = (resumed) => connectLine(context, { ...request, resumed });
  const socket = await connect(false);
  return socket.ok ? ok(new OpenLine(id, clock, connect, socket.value)) : socket;
}

/**
 * Sends a message to whom it is for: an answer or progress to the line that asked, a cancellation to all calls of the owner, a
 * change to its stream, an end to all. Nobody there is no failure.
 * Failures: `too_many` when it would have to wait and the owner's mailbox is full, `unavailable`.
 */
export async function sendToLine(
  context: SessionContext,
  owner: string,
  message: LineMessage,
): Promise<Result<void, Failure>> {
  const frame = encodeFrame(message);
  const taken = await askShard(context, owner, limits.lineOpen_ms, (object) => object.deliver(owner, frame));
  if (!taken.ok) return taken;
  return taken.value ? ok(undefined) : err(failure("too_many", undefined, { reason: "mailbox_full" }));
}

/** Whether an id, or a progress token, is of the form that lines give out. */
export const isMinted = (id: string): boolean => /^[A-Za-z0-9_-]{22}\.\d{1,9}$/.test(id);

class OpenLine implements Line {
  readonly id: string;
  readonly #clock: SessionContext["platform"]["ports"]["clock"];
  readonly #connect: Connect;
  /** Aborts with the line, and with it the pause before a reconnection. */
  readonly #over = new AbortController();
  readonly #unread: LineMessage[] = [];
  readonly #readers: ((message: LineMessage) => void)[] = [];
  #socket: WebSocket | undefined;
  #ended: Ended | undefined;

  constructor(id: string, clock: SessionContext["platform"]["ports"]["clock"], connect: Connect, socket: WebSocket) {
    this.id = id;
    this.#clock = clock;
    this.#connect = connect;
    this.#attach(socket);
  }

  next(): Promise<LineMessage> {
    const message = this.#unread.shift() ?? this.#ended;
    return message === undefined ? new Promise((resolve) => this.#readers.push(resolve)) : Promise.resolve(message);
  }

  close(): void {
    this.#end({ kind: "ended", reason: "lost" });
  }

  #attach(socket: WebSocket): void {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      if (typeof data === "string") this.#receive(decodeFrame(data));
    });
    socket.addEventListener("close", () => void this.#recover(socket));
    socket.addEventListener("error", () => void this.#recover(socket));
    socket.accept();
  }

  #receive(message: LineMessage): void {
    if (this.#ended !== undefined) return;
    if (message.kind === "ended") return this.#end(message);
    const reader = this.#readers.shift();
    if (reader !== undefined) return reader(message);
    if (message.kind === "changed" && this.#unread.at(-1)?.kind === "changed") return;
    if (this.#unread.length >= limits.lineMessages_count) return this.close();
    this.#unread.push(message);
  }

  #end(ended: Ended): void {
    if (this.#ended !== undefined) return;
    this.#ended = ended;
    this.#over.abort();
    this.#socket?.close(done_code);
    for (const reader of this.#readers.splice(0)) reader(ended);
  }

  /** The same line again: what was sent to it meanwhile waits for it. What was sent while it broke may be lost. */
  async #recover(broken: WebSocket): Promise<void> {
    // A socket reports its end twice when it fails.
    if (this.#ended !== undefined || this.#socket !== broken) return;
    this.#socket = undefined;
    for (const pause_ms of limits.lineRetry_ms) {
      await this.#clock.sleep(pause_ms, this.#over.signal);
      if (this.#isOver()) return;
      const socket = await this.#connect(true);
      if (!socket.ok) continue;
      if (this.#isOver()) return dismiss(socket.value);
      this.#receive({ kind: "changed" });
      return this.#attach(socket.value);
    }
    this.close();
  }

  #isOver(): boolean {
    return this.#ended !== undefined;
  }
}

async function connectLine(context: SessionContext, line: LineRequest): Promise<Result<WebSocket, Failure>> {
  // The host is nobody's: the request goes to the object whatever it is.
  const url = `https://session.invalid/?line=${encodeURIComponent(JSON.stringify(line))}`;
  let abandoned = false;
  const answer = await askShard(context, line.owner, limits.lineOpen_ms, async (object) => {
    const response = await object.fetch(url, { headers: { upgrade: "websocket" } });
    if (abandoned && response.webSocket !== null) dismiss(response.webSocket);
    return response;
  });
  abandoned = true;
  if (!answer.ok) return answer;
  const { status, webSocket } = answer.value;
  if (status === switching_protocols && webSocket !== null) return ok(webSocket);
  if (status === too_many_requests) return err(failure("too_many", undefined, { reason: "line_too_many" }));
  return err(failure("unavailable", undefined, { reason: "line_refused" }));
}

/** A socket that nobody wants any more; the platform closes only what was accepted. */
function dismiss(socket: WebSocket): void {
  socket.accept();
  socket.close(done_code);
}
