/** One request on an MCP endpoint, from admission on: what every later step works with. */
import { sessionNameOf, type Principal } from "../admission/index.ts";
import type { Recorder } from "../audit/index.ts";
import type { SafeFetch } from "../egress/index.ts";
import { implementation, type Platform } from "../platform.ts";
import type { JsonObject } from "../ports.ts";
import type { ClientRequest } from "../protocol/index.ts";
import type { Server } from "../registry/index.ts";
import type { ClientSession, Facts } from "../session/index.ts";
import type { Snapshot, TenantHost } from "../tenant/index.ts";
import type { UpstreamContext } from "../upstream/index.ts";
import type { Vault } from "../vault/index.ts";
import { callerOf } from "./outbound-caller.ts";

/** `/mcp` or `/mcp/{slug}`. */
export type Endpoint = { readonly path: string; readonly slug: string | undefined };

export interface Exchange {
  readonly platform: Platform;
  readonly tenant: TenantHost;
  readonly snapshot: Snapshot;
  readonly principal: Principal;
  readonly endpoint: Endpoint;
  readonly vault: Vault;
  readonly recorder: Recorder;
  /** The guarded fetch with this invocation's connection budget. */
  readonly fetch: SafeFetch;
  /** Headers of the client's request. None goes upstream but `Mcp-Param-*`. */
  readonly headers: Headers;
  readonly request: ClientRequest;
  /** The session of a client of the 2025 revisions. */
  readonly session?: { readonly client: ClientSession; readonly facts: Facts };
  readonly request_bytes: number;
  readonly started_at: number;
  /**
   * Aborts when the request is cancelled: in 2026-07-28 by closing the connection ("Cancellation"), in the 2025 revisions by a
   * notification, since a lost connection is none there.
   */
  readonly signal: AbortSignal;
  /** Aborts when the client closes the connection, whatever that means for the request. */
  readonly gone: AbortSignal;
  /** Aborts `signal` from within: nobody wants the answer any more. */
  abandon(): void;
  /** Methods that servers asked the client for meanwhile, in order, for the record. */
  readonly asked: string[];
  /** Connections whose credentials were sent meanwhile, for the record. */
  readonly used: Set<string>;
  /** Called when the outcome is known, whoever still reads the answer. */
  readonly settled?: () => void;
  readonly source: { readonly country?: string; readonly network: string };
}

/** A server that the principal may use, with the decision that allows it. */
export interface Permitted {
  readonly server: Server;
  readonly policy: string;
  readonly reason: string;
}

/** A request that goes to one upstream. */
export interface Relay {
  readonly permitted: Permitted;
  /** By the upstream's own names. */
  readonly params: JsonObject;
  readonly name?: string;
  /** On the aggregate endpoint URIs in the answer get the server's prefix. */
  readonly aggregate: boolean;
  /** The person was asked for an account in this call before. */
  readonly hasWaited?: true;
  /** The task handle of the client, put back into answers about that task. */
  readonly taskHandle?: string;
}

export const contextOf = (exchange: Exchange): UpstreamContext => ({
  platform: exchange.platform,
  tenant: exchange.tenant,
  snapshot: exchange.snapshot,
  vault: exchange.vault,
  fetch: exchange.fetch,
  recorder: exchange.recorder,
  source: exchange.source,
  caller: callerOf(exchange),
  used: exchange.used,
  signal: exchange.signal,
  id: exchange.request.id,
  era: exchange.request.era,
  owner: exchange.session?.client.owner ?? `principal:${sessionNameOf(exchange.principal)}`,
  client: { info: ownInfo, capabilities: exchange.session?.client.clientCapabilities ?? {} },
});

/** Who Gatehouse is to an upstream. Which client stands behind it is for the audit log. */
export const ownInfo: JsonObject = { ...implementation };
