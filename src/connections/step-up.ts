/** What to do when a server asks for more scope than a connection has: a bounded number of links for more (UP-19). */
import { limits } from "../limits.ts";
import { connectionStore, type ConnectionKey } from "../vault/index.ts";
import type { Base, LiveCredential } from "./types.ts";

export interface StepUp {
  /** What the link asks for: everything that was asked for before, and what the server wants now. */
  readonly scope: string;
  /** What the connection that comes of it counts. */
  readonly step_ups: number;
}

const wordsOf = (scope: string | null): string[] => (scope ?? "").split(" ").filter((word) => word !== "");

/**
 * @param challenged `scope` of the challenge, RFC 6750 section 3.1
 * @returns undefined when a link would bring nothing new, since that was asked for already, when there were `limits.stepUps_count` of them
 *   since the person linked by themselves, or when the connection is another one by now
 */
export async function stepUp(
  base: Pick<Base, "platform" | "tenant" | "vault">,
  key: ConnectionKey,
  live: LiveCredential,
  challenged: string,
): Promise<StepUp | undefined> {
  const row = await connectionStore(base).find(key);
  if (row?.id !== live.connection_id || row.step_ups >= limits.stepUps_count) return undefined;
  const known = new Set([...wordsOf(row.asked_scope), ...wordsOf(row.scope)]);
  const wanted = wordsOf(challenged);
  if (wanted.every((word) => known.has(word))) return undefined;
  const scope = [...new Set([...known, ...wanted])].join(" ");
  return scope.length > limits.scope_chars ? undefined : { scope, step_ups: row.step_ups + 1 };
}
