/** What can be done when a server refuses what was added, and what is known once it takes it. */
import { noteAccepted, parseChallenge, stepUp } from "../connections/index.ts";
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import type { Server } from "../registry/index.ts";
import { authenticationAgain } from "./authenticate.ts";
import type { OutboundContext } from "./context.ts";
import { proofName } from "./live.ts";
import type { Authentication, Proof } from "./part.ts";

export interface Refused {
  readonly status: 401 | 403;
  readonly headers: Headers;
}

/**
 * A 401 forces one renewal of each credential that can be renewed, at most once in `limits.forcedRenewal_ms` (UP-18). A request for
 * more scope becomes a link for it, at most `limits.stepUps_count` times (UP-19).
 * @param sent what `authenticationFor` added to the request that was refused
 * @returns another one to send once more, or undefined when nothing else can be tried; `link_needed` where a person can help
 * @see RFC 6750 section 3.1
 */
export async function afterRefusal(
  context: OutboundContext,
  server: Server,
  sent: Authentication,
  refused: Refused,
): Promise<Result<Authentication | undefined, Failure>> {
  const wider = await widerScope(context, server, sent, refused);
  if (wider !== undefined) return err(wider);
  if (refused.status === 403 || sent.proofs.length === 0) return ok(undefined);
  const rejected = new Map(sent.proofs.map(({ key, live }) => [proofName(key), live]));
  const renewed = await authenticationAgain({ context, server, rejected });
  if (!renewed.ok) return renewed;
  return ok(sameProofs(sent.proofs, renewed.value.proofs) ? undefined : renewed.value);
}

/** @param status of an answer: only a good one says that the server took what was sent */
export function afterAnswer(context: OutboundContext, { proofs }: Authentication, status: number): void {
  if (status >= 400) return;
  for (const { key, live } of proofs) noteAccepted(context, key, live);
}

/** Whether every credential is the one that was refused already. */
function sameProofs(sent: readonly Proof[], renewed: readonly Proof[]): boolean {
  return (
    sent.length === renewed.length &&
    sent.every(({ live }, at) => {
      const other = renewed[at]?.live;
      return other?.connection_id === live.connection_id && other.revision === live.revision;
    })
  );
}

async function widerScope(
  context: OutboundContext,
  server: Server,
  { proofs }: Authentication,
  { headers }: Refused,
): Promise<Failure | undefined> {
  const own = proofs.find(
    ({ key }) => key.user_id !== "" && key.target === server.id && !key.account.startsWith("header:"),
  );
  if (server.authentication.type !== "oauth" || own === undefined) return undefined;
  const challenge = parseChallenge(headers);
  if (challenge?.error !== "insufficient_scope" || challenge.scope === undefined) return undefined;
  const wanted = await stepUp(context, own.key, own.live, challenge.scope);
  if (wanted === undefined) return undefined;
  return failure("link_needed", `Server "${server.slug}" needs more access to the connected account`, {
    reason: "insufficient_scope",
    data: { account: own.key.account, ...wanted },
  });
}
