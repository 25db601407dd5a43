/** What a start of Gatehouse has started on this machine, and the parts that every start has. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Part } from "./child.ts";
import { localKey } from "./keys.ts";
import { at } from "./root.ts";
import { startRuntime, type Runtime } from "./runtime.ts";
import { startDemo, startEverything } from "./upstreams.ts";

/** The longest that a batch of the audit Queue waits (wrangler.toml), and as long again to be stored. */
const queueDrain_ms = 2_000;

const tenants = "default=localhost acme=acme.localhost";

export class Running {
  /** In the order in which it was started. */
  readonly #parts: { name: string; stop: () => Promise<void> }[] = [];
  stopping = false;

  add(name: string, stop: () => Promise<void>): void {
    this.#parts.push({ name, stop });
  }

  async stopAll(code: number): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    for (const { name, stop } of this.#parts.toReversed()) {
      await stop().catch((error: unknown) => process.stderr.write(`Stopping ${name}: ${String(error)}\n`));
    }
    process.exit(code);
  }

  /** A part that ends by itself takes the rest with it: half a gateway would only confuse. */
  watch(part: Part): void {
    void part.ended.then(async (code) => {
      if (this.stopping) return;
      process.stderr.write(`The server ${part.name} ended (exit ${code ?? "by signal"}):\n${part.tail()}\n`);
      await this.stopAll(1);
    });
  }

  async startUpstreams(): Promise<{ everything: URL; demo: URL }> {
    const started = await Promise.allSettled([startEverything(), startDemo()]);
    for (const result of started) {
      if (result.status === "fulfilled") this.add(result.value.part.name, result.value.stop);
    }
    const [everything, demo] = started;
    if (everything.status === "rejected") throw everything.reason;
    if (demo.status === "rejected") throw demo.reason;
    this.watch(everything.value.part);
    this.watch(demo.value.part);
    return { everything: everything.value.url, demo: demo.value.url };
  }

  /**
   * @param state directory of the databases
   * @param egress origins that it may call besides public ones; those of the environment come on top
   */
  async startGateway(
    port: number,
    state: string,
    vars: Readonly<Record<string, string | undefined>>,
    egress: readonly string[] = [],
  ): Promise<Runtime> {
    const origins = [...egress, process.env["GATEHOUSE_EGRESS_ORIGINS"] ?? ""].join(" ").trim();
    const runtime = await startRuntime({
      port,
      persist: state,
      vars: {
        GATEHOUSE_TENANTS: tenants,
        GATEHOUSE_KEYS: localKey(at(".gatehouse", "keys")),
        GATEHOUSE_EGRESS_ORIGINS: origins === "" ? undefined : origins,
        ...vars,
      },
    });
    this.add("gatehouse", async () => {
      // The local Queue lives in memory: what was recorded a moment ago is on its way to the Ledger, which is on disk.
      await sleep(queueDrain_ms);
      await runtime.dispose();
    });
    return runtime;
  }
}
