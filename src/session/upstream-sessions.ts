/**
 * Sessions with upstream servers, one for an owner and a server. Opening one is single-flight over all isolates: a server must
 * not see a second session because two calls came at once.
 */
import { base64url } from "jose";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { learnFacts } from "./facts-memory.ts";
import { readFacts, refusal, writeFacts } from "./facts.ts";
import type { Claim } from "./session-object.ts";
import { askShard, shardOf } from "./shard.ts";
import { encodeUpstream } from "./stored.ts";
import type { Facts, SessionContext, UpstreamSession } from "./types.ts";

export type UpstreamClaim =
  | { readonly kind: "known"; readonly session: UpstreamSession }
  /** The caller opens a session now, and stores it or releases the lease. */
  | { readonly kind: "open"; readonly lease: string };

const lease_bytes = 12;

/**
 * The owner's session with a server at this revision of its configuration, or the right to open one. Waits while another call
 * opens it. Failures: `not_found` when the client's session is over, `unavailable`.
 */
export async function claimUpstream(
  context: SessionContext,
  owner: string,
  server: { readonly id: string; readonly revision: number },
): Promise<Result<UpstreamClaim, Failure>> {
  const facts = await readFacts(context, owner);
  if (!facts.ok) return facts;
  if (facts.value.ended) return err(refusal("session_ended"));
  const known = find(facts.value, server);
  if (known !== undefined) return ok({ kind: "known", session: known });

  const { clock, random } = context.platform.ports;
  const lease = base64url.encode(random.bytes(lease_bytes));
  const asked_at = clock.now();
  const wait_ms = limits.upstreamLeaseWait_ms + limits.snapshotFirst_ms;
  const claimed = await askShard(
    context,
    owner,
    wait_ms,
    async (object): Promise<Claim> => await object.claimUpstream(owner, server.id, server.revision, lease),
  );
  if (!claimed.ok) return claimed;
  const claim = claimed.value;
  switch (claim.kind) {
    case "refused":
      return err(refusal(claim.reason));
    case "busy":
      return err(failure("unavailable", undefined, { reason: "upstream_session_busy" }));
    case "open":
      return ok({ kind: "open", lease });
    case "known": {
      const session = find(learnFacts(shardOf(context.tenant.id, owner), owner, claim.state, asked_at), server);
      if (session === undefined) throw new Error("The object knows a session that its facts do not hold.");
      return ok({ kind: "known", session });
    }
  }
}

/**
 * Stores the session that was opened under `lease`. Failures: `conflict` when another call took the lease over meanwhile,
 * `not_found` when the client's session is over, `too_many`, `unavailable`. The caller then ends the session after its use.
 */
export const storeUpstream = (
  context: SessionContext,
  owner: string,
  lease: string,
  session: UpstreamSession,
): Promise<Result<Facts, Failure>> =>
  writeFacts(context, owner, (object) =>
    object.storeUpstream(owner, lease, {
      server_id: session.server_id,
      revision: session.revision,
      session_id: session.id ?? null,
      json: encodeUpstream(session),
    }),
  );

/** No session came of it: the next one may try at once. */
export const releaseUpstream = (
  context: SessionContext,
  owner: string,
  server_id: string,
  lease: string,
): Promise<Result<void, Failure>> =>
  askShard(context, owner, limits.snapshotFirst_ms, (object) => object.releaseUpstream(owner, server_id, lease));

/** The server no longer knows this session. One that was stored since stays. */
export const forgetUpstream = (
  context: SessionContext,
  owner: string,
  server_id: string,
  session_id: string | undefined,
): Promise<Result<Facts, Failure>> =>
  writeFacts(context, owner, (object) => object.forgetUpstream(owner, server_id, session_id ?? null));

const find = (facts: Facts, server: { readonly id: string; readonly revision: number }): UpstreamSession | undefined =>
  facts.upstreams.find(({ server_id, revision }) => server_id === server.id && revision === server.revision);
