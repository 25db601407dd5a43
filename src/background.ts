/** What the Worker does without a request: batches of the Queues, and the timer. Wiring only. */
import { consumeAudit, consumeDeadLetters, createRecorder, wakeAudit, wakeUnreadable } from "./audit/index.ts";
import { endings } from "./connections/index.ts";
import { isDatabaseFailure, openDatabase } from "./db/index.ts";
import { createConnectionBudget, createSafeFetch } from "./egress/index.ts";
import { parseConfiguration } from "./env.ts";
import { limits } from "./limits.ts";
import { keepSigningKeys, sumUses, sweepGrants } from "./oauth/index.ts";
import type { Platform } from "./platform.ts";
import { systemPorts } from "./system-ports.ts";
import { log } from "./telemetry/index.ts";
import { createVault, rewrap, type Vault } from "./vault/index.ts";

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

/** The minute in which what is not urgent is done as well. */
const everyFiveMinutes = "*/5 * * * *";

/**
 * What is due for each tenant. Each minute: credentials that end at their providers, and secrets that go under a new key-encryption
 * key. Each five minutes: the second way to delivery and to overdue outcomes, for alarms that the platform lost, and maintenance.
 * @param cron the trigger, as in wrangler.toml
 */
export async function onTimer(
  env: Env,
  context: Pick<ExecutionContext, "waitUntil">,
  cron: string = everyFiveMinutes,
): Promise<void> {
  const isUnhurried = cron === everyFiveMinutes;
  const configuration = parseConfiguration(env);
  if (configuration.ok) {
    const tenants = new Set(configuration.value.hosts.values());
    if (isUnhurried) for (const tenant of tenants) await wakeAudit(env, tenant, systemPorts.clock.now());
    const vault = await createVault(configuration.value.keys, systemPorts);
    const platform: Platform = {
      configuration: configuration.value,
      ports: systemPorts,
      bindings: env,
      waitUntil: (promise) => context.waitUntil(promise),
      log,
    };
    for (const tenant of tenants) {
      if (vault.ok) await tolerant(tenant, () => endAll(platform, vault.value, tenant));
      if (vault.ok && isUnhurried) await tolerant(tenant, () => maintain(platform, vault.value, tenant));
    }
    // Last, since it takes the most of the time that a run has.
    for (const tenant of tenants) if (vault.ok) await tolerant(tenant, () => rewrap(platform, vault.value, tenant));
  }
  if (isUnhurried) await wakeUnreadable(env);
}

/** Credentials that nobody uses any more, revoked at their providers and destroyed. */
function endAll(platform: Platform, vault: Vault, tenant: string): Promise<void> {
  const { configuration, ports, bindings } = platform;
  const policy = { mode: configuration.mode, origins: configuration.egressOrigins };
  const fetch = createSafeFetch(ports, policy, createConnectionBudget(limits.connectionsAtOnce_count));
  const recorder = createRecorder({ queue: bindings.AUDIT, outbox: bindings.OUTBOX, clock: ports.clock });
  return endings({ platform, vault, fetch, recorder }, tenant);
}

/** Rotation of signing keys, and rows that are history. */
async function maintain(platform: Platform, vault: Vault, tenant: string): Promise<void> {
  await keepSigningKeys(platform, vault, tenant);
  await sweepGrants(platform, tenant);
}

/** One tenant's trouble is not the next one's: the timer comes again. */
async function tolerant(tenant: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    if (!isDatabaseFailure(thrown)) throw thrown;
    log("error", "The database did not answer the timer", { tenant, error: thrown });
  }
}
