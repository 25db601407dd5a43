/**
 * Servers that did not answer the question for their era. Lists and descriptions leave such a server out, and in peace for a
 * while: each would wait for it again. Calls do ask. Known to this isolate only.
 */
import { BoundedMap } from "../../bounded-map.ts";
import type { Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { holderOf } from "../../outbound/index.ts";
import { err, type Result } from "../../ports.ts";
import type { Server } from "../../registry/index.ts";
import type { UpstreamContext, Verdict } from "../../upstream/index.ts";

interface Rest {
  readonly until: number;
  readonly failure: Failure;
}

const rests = new BoundedMap<Rest>(limits.eras_count);

/** @param probe is run unless the last one failed a moment ago; then its failure is this one's as well */
export async function unlessResting(
  context: UpstreamContext,
  server: Server,
  probe: () => Promise<Result<Verdict, Failure>>,
): Promise<Result<Verdict, Failure>> {
  const { clock } = context.platform.ports;
  const holder = await holderOf(context, server);
  if (!holder.ok) return holder;
  // One caller's own headers may be what the server does not answer to.
  const key = JSON.stringify([context.tenant.id, server.id, server.revision, context.era, holder.value]);
  const last = rests.get(key);
  const left_ms = (last?.until ?? 0) - clock.now();
  // A clock that jumped back must not hold it up.
  if (last !== undefined && left_ms > 0 && left_ms <= limits.listRefreshPause_ms) return err(last.failure);
  const verdict = await probe();
  if (verdict.ok) rests.delete(key);
  else if (isSilence(verdict.error)) {
    rests.set(key, { until: clock.now() + limits.listRefreshPause_ms, failure: verdict.error });
  }
  return verdict;
}

/** What costs the time of a whole wait. A server that refuses does so at once, and may be asked at once. */
const isSilence = ({ code }: Failure): boolean => code === "upstream_timeout" || code === "upstream_unreachable";
