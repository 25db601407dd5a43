/** The Worker's entry: its handlers and its Durable Objects. Wiring only. */
import { createApp } from "./app.ts";
import { consumeAudit, consumeDeadLetters, wakeAudit, wakeUnreadable } from "./audit/index.ts";
import { parseConfiguration } from "./env.ts";
import { systemPorts } from "./system-ports.ts";

export { Ledger, Outbox } from "./audit/index.ts";
export { Grant } from "./oauth/index.ts";
export { Session } from "./session/index.ts";
export { Tenant } from "./tenant/index.ts";
export { Documents } from "./trust/index.ts";

const app = createApp(systemPorts);

export default {
  fetch: (request, env, context) => app.fetch(request, env, context),
  queue: (batch, env) =>
    batch.queue === "gatehouse-audit-dead" ? consumeDeadLetters(batch, env) : consumeAudit(batch, env),
  /** The second way to delivery and to overdue outcomes, for alarms that the platform lost. */
  async scheduled(_event, env) {
    const configuration = parseConfiguration(env);
    const tenants = configuration.ok ? new Set(configuration.value.hosts.values()) : new Set<string>();
    for (const tenant of tenants) await wakeAudit(env, tenant, systemPorts.clock.now());
    await wakeUnreadable(env);
  },
} satisfies ExportedHandler<Env>;
