/**
 * A client that was asked to open a URL says so as soon as it is open, while the person has only begun there. The call waits for them:
 * asked again at once, clients open page after page until they give up.
 * @see MCP 2026-07-28 elicitation, "URL Mode": `accept` means that the person agreed, and not that they are done
 */
import { limits } from "../../limits.ts";
import { authenticationFor } from "../../outbound/index.ts";
import type { Server } from "../../registry/index.ts";
import { contextOf, type Exchange } from "../exchange.ts";

/** Resolves when the account is there, when something else is in the way, and at the latest after `limits.linkWait_ms`. */
export async function untilLinked(exchange: Exchange, server: Server): Promise<void> {
  const { clock } = exchange.platform.ports;
  const context = contextOf(exchange);
  const until = clock.now() + limits.linkWait_ms;
  for (;;) {
    const added = await authenticationFor(context, server);
    if (added.ok || added.error.code !== "link_needed") return;
    if (exchange.signal.aborted || clock.now() >= until) return;
    await clock.sleep(limits.linkPoll_ms, exchange.signal);
  }
}
