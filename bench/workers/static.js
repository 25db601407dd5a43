// Answers with as many bytes as the path says, made once for each size: the least that a list of that size can cost. With a
// Queue it also hands two events over, as the floor with audit does.
import { requestEvent, responseEvent } from "./audit-events.js";

const made = new Map();

function bytesOf(size) {
  const known = made.get(size) ?? new Uint8Array(size).fill(0x20);
  made.set(size, known);
  return known;
}

export default {
  async fetch(request, env, context) {
    const size = Number(new URL(request.url).pathname.slice(1));
    if (env.AUDIT !== undefined) {
      const id = crypto.randomUUID();
      await env.AUDIT.send(requestEvent(id, Date.now()));
      context.waitUntil(env.AUDIT.send(responseEvent(id, Date.now())));
    }
    return new Response(bytesOf(size), { headers: { "content-type": "application/json" } });
  },
};
