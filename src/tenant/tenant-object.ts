/**
 * The Durable Object of a tenant: it serialises changes of configuration as one counter. D1 holds the configuration
 * itself; the counter tells every isolate within `snapshotFresh_ms` that its snapshot is out of date.
 */
import { DurableObject } from "cloudflare:workers";

export class Tenant extends DurableObject<Env> {
  /** @returns the version that the last announced change made; 0 before the first */
  version(): number {
    return this.ctx.storage.kv.get<number>("version") ?? 0;
  }

  /** Called after a change is in D1 and before it is acknowledged. @returns the new version */
  announce(): number {
    const version = this.version() + 1;
    this.ctx.storage.kv.put("version", version);
    return version;
  }
}
