/**
 * The answers to a batch as one response: an array, or a stream where one of them is a stream.
 * @see MCP 2025-03-26 transports, "Sending Messages to the Server"
 */
import { encodeSse } from "../../protocol/index.ts";

const isStream = ({ headers }: Response): boolean => headers.get("content-type") === "text/event-stream";

/** @param responses of the single messages, in their order; those without a body had nothing to answer */
export async function mergeResponses(responses: readonly Response[]): Promise<Response> {
  const answers = responses.filter(({ body }) => body !== null);
  if (answers.length === 0) return new Response(null, { status: 202 });
  if (answers.some(isStream)) return streamOf(answers);
  const texts = await Promise.all(answers.map((answer) => answer.text()));
  return new Response(`[${texts.join(",")}]`, {
    status: 200,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
  });
}

/** One after the other, so that no event is torn. */
function streamOf(answers: readonly Response[]): Response {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  void pipe(answers, writable);
  return new Response(readable, {
    status: 200,
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  });
}

async function pipe(answers: readonly Response[], writable: WritableStream<Uint8Array>): Promise<void> {
  const waiting = [...answers];
  try {
    for (let answer = waiting.shift(); answer !== undefined; answer = waiting.shift()) {
      if (isStream(answer)) {
        await answer.body?.pipeTo(writable, { preventClose: true });
        continue;
      }
      const writer = writable.getWriter();
      await writer.write(encodeSse(await answer.text()));
      writer.releaseLock();
    }
    await writable.close();
  } catch {
    // The client left: each of the rest is let go, and keeps what its client missed.
    await Promise.all(waiting.map(({ body }) => body?.cancel()));
  }
}
