/** One name for everything that a caller brings along for a server, which tells nothing of it. */
import type { Principal } from "./principal.ts";

/**
 * Whose sessions these are, those of clients and those with servers: of a principal, and of one holder where the caller brings a
 * credential of their own. What is kept in a session was asked for with it.
 */
export const sessionNameOf = ({ id, holder }: Principal): string => (holder === undefined ? id : `${id}:${holder}`);

/** These differ between two requests of the same caller, and no server knows anybody by them. */
const passing =
  /^(?:x-)?(?:request-?id|correlation-?id|transaction-?id|idempotency-key|b3(?:-.*)?|datadog-.*|amzn-trace-id|cloud-trace-context|priority|pragma|cache-control|baggage|dnt|save-data|uber-trace-id|sentry-trace|newrelic)$/;

/**
 * Any header may be a credential, so two callers are one only where all that goes on of theirs is the same. A new value of a header that
 * no list names costs a new session with the server; a shared session could show one caller the data of the other.
 * @param others headers that go on besides, names in lower case
 * @returns undefined when nothing is brought
 */
export async function holderOf(
  authorization: string | null,
  others: readonly (readonly [name: string, value: string])[],
  digest: (value: string) => Promise<string>,
): Promise<string | undefined> {
  const telling = others.filter(([name]) => !passing.test(name.replaceAll("_", "-")));
  if (authorization === null && telling.length === 0) return undefined;
  // The word in front keeps it apart from what else is digested for the tenant.
  return digest(JSON.stringify(["passthrough-holder", authorization, telling.toSorted(byName)]));
}

const byName = ([a]: readonly [string, string], [b]: readonly [string, string]): number => (a < b ? -1 : a > b ? 1 : 0);
