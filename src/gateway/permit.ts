/** Which servers exist for the caller: the same decision for lists and for calls. */
import { guestOf } from "../admission/index.ts";
import { decide, type Decision } from "../policy/index.ts";
import type { Exchange, Permitted } from "./exchange.ts";

type Subject = Pick<Exchange, "snapshot" | "principal" | "platform" | "endpoint">;

export function decideServer(subject: Subject, slug: string): { decision: Decision; permitted: Permitted | undefined } {
  const server = subject.snapshot.servers.get(slug);
  const decision = decide({
    mode: subject.platform.configuration.mode,
    client: subject.snapshot.clients.get(subject.principal.agent),
    user: subject.principal.user,
    guest: guestOf(subject.principal),
    endpoint: subject.endpoint.slug,
    server,
  });
  const permitted =
    server === undefined || decision.effect === "deny"
      ? undefined
      : { server, policy: decision.policy, reason: decision.reason };
  return { decision, permitted };
}

/** In the order of slugs, so that every list has one order. */
export function permittedServers(subject: Subject): Permitted[] {
  return [...subject.snapshot.servers.keys()].flatMap((slug) => decideServer(subject, slug).permitted ?? []);
}
