/** What the Worker does without a request: batches of the Queues, and the timer. Wiring only. */
import { consumeAudit, consumeDeadLetters, wakeAudit, wakeUnreadable } from "./audit/index.ts";
import { isDatabaseFailure, openDatabase } from "./db/index.ts";
import { parseConfiguration } from "./env.ts";
import { keepSigningKeys, sumUses, sweepGrants } from "./oauth/index.ts";
import type { Platform } from "./platform.ts";
import { systemPorts } from "./system-ports.ts";
import { log } from "./telemetry/index.ts";
import { createVault, type Vault } from "./vault/index.ts";

export async function consume(batch: MessageBatch, env: Env): Promise<void> {
  if (batch.queue === "gatehouse-audit-dead") return consumeDeadLetters(batch, env);
  const stored = await consumeAudit(batch, env);
  try {
    await sumUses(openDatabase(env.DB), stored);
  } catch (thrown) {
    if (!isDatabaseFailure(thrown)) throw thrown;
    // The events themselves are in their Ledger; the inventory counts too few of them.
    log("warn", "The use of agents could not be summed up", { count: stored.length, error: thrown });
  }
}

/** The second way to delivery and to overdue outcomes, for alarms that the platform lost; and what is due for each tenant. */
export async function onTimer(env: Env, context: Pick<ExecutionContext, "waitUntil">): Promise<void> {
  const configuration = parseConfiguration(env);
  if (configuration.ok) {
    const tenants = new Set(configuration.value.hosts.values());
    for (const tenant of tenants) await wakeAudit(env, tenant, systemPorts.clock.now());
    const vault = await createVault(configuration.value.keys, systemPorts);
    const platform: Platform = {
      configuration: configuration.value,
      ports: systemPorts,
      bindings: env,
      waitUntil: (promise) => context.waitUntil(promise),
      log,
    };
    for (const tenant of tenants) if (vault.ok) await maintain(platform, vault.value, tenant);
  }
  await wakeUnreadable(env);
}

/** Rotation of signing keys, and rows that are history. One tenant's trouble is not the next one's: the timer comes again. */
async function maintain(platform: Platform, vault: Vault, tenant: string): Promise<void> {
  try {
    await keepSigningKeys(platform, vault, tenant);
    await sweepGrants(platform, tenant);
  } catch (thrown) {
    if (!isDatabaseFailure(thrown)) throw thrown;
    log("error", "The database did not answer the timer", { tenant, error: thrown });
  }
}
