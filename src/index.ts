/** The Worker's entry: its handlers and its Durable Objects. Wiring only. */
import { createApp } from "./app.ts";
import { consume, onTimer } from "./background.ts";
import { systemPorts } from "./system-ports.ts";

export { Ledger, Outbox } from "./audit/index.ts";
export { Grant } from "./oauth/index.ts";
export { Session } from "./session/index.ts";
export { Tenant } from "./tenant/index.ts";
export { Documents } from "./trust/index.ts";
export { Connection } from "./vault/index.ts";

const app = createApp(systemPorts);

export default {
  fetch: (request, env, context) => app.fetch(request, env, context),
  queue: (batch, env) => consume(batch, env),
  scheduled: ({ cron }, env, context) => onTimer(env, context, cron),
} satisfies ExportedHandler<Env>;
