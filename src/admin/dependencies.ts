/** What the admin API needs from the rest of the program for one request. `app.ts` provides it as `c.var.admin`. */
import type { Principal } from "../admission/index.ts";
import type { AuditEvent, EventFilter, EventPage } from "../audit/index.ts";
import type { Mode } from "../env.ts";
import type { Failure } from "../errors.ts";
import type { Visit } from "../login/index.ts";
import type { Ports, Result } from "../ports.ts";
import type { ServerStatus } from "../registry/index.ts";
import type { Vault } from "../vault/index.ts";

export interface AdminDependencies {
  readonly tenant: string;
  /** Canonical origin of the tenant, for URLs in answers; never taken from the request. */
  readonly origin: string;
  readonly mode: Mode;
  readonly initialised: boolean;
  readonly setupSecret: string | undefined;
  readonly database: D1Database;
  readonly ports: Ports;
  /** Seals credentials and remembered answers. No route opens a credential for the caller. */
  readonly vault: Pick<Vault, "seal" | "open">;
  /** An administrator or the development principal; `undefined` without a good credential. */
  readonly principal: Principal | undefined;
  /** Whether the caller may read and change nothing: an auditor. */
  readonly readonly?: boolean;
  /** What signing people out and revoking their grants needs. */
  readonly visit: Visit;
  /** What to answer while `principal` is undefined. */
  readonly admissionFailure: Failure | undefined;
  /** The egress guard on an address that is to be stored. */
  checkUrl(url: string): Result<URL, Failure>;
  /** Resolves when the event is durable. */
  record(event: AuditEvent): Promise<Result<void, Failure>>;
  /** Makes a change that is in D1 hold everywhere within `limits.snapshotFresh_ms`. */
  announce(): Promise<Result<void, Failure>>;
  queryEvents(filter: EventFilter): Promise<Result<EventPage, Failure>>;
  /** What became of the last question to a server; undefined when none is known. */
  readServerStatus(id: string): Promise<ServerStatus | undefined>;
}
