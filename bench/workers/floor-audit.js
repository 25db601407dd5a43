// The floor that also hands two events of the usual size to a Queue: one beside the call, which the answer waits for, and one
// behind the answer. What a Queue costs is the platform's; what Gatehouse adds is measured above this.
import { requestEvent, responseEvent } from "./audit-events.js";

export default {
  async fetch(request, env, context) {
    const id = crypto.randomUUID();
    const recorded = env.AUDIT.send(requestEvent(id, Date.now()));
    const response = await fetch(new Request(env.UPSTREAM, request));
    await recorded;
    context.waitUntil(env.AUDIT.send(responseEvent(id, Date.now())));
    return response;
  },
};
