/** Notes in the inventory. They are no part of the decision, so a database that fails here fails no sign-in. */
import { isDatabaseFailure, openDatabase } from "../../db/index.ts";
import type { Visit } from "../../login/index.ts";
import type { OAuthClient } from "../types.ts";
import { storeSight, type Sight } from "./sight.ts";

/**
 * A client that was seen: at its registration, at an authorization request, at each issue of tokens.
 * @param user_id who allowed it something just now
 */
export async function noteAgent(
  visit: Visit,
  {
    client,
    user_id,
  }: { readonly client: Pick<OAuthClient, "id" | "kind" | "name">; readonly user_id?: string | undefined },
): Promise<void> {
  const { id, kind, name } = client;
  await note(visit, { id, kind, name, owner_id: user_id });
}

/**
 * A client that was turned away.
 * @param client as far as it is known: the kind `unknown` where its document was not even asked for
 */
export async function noteBlocked(visit: Visit, client: Pick<Sight, "id" | "kind" | "name">, reason: string) {
  await note(visit, { ...client, blocked_reason: reason });
}

async function note(visit: Visit, sight: Sight): Promise<void> {
  const { platform, tenant } = visit;
  try {
    await storeSight(openDatabase(platform.bindings.DB), tenant.id, sight, platform.ports.clock.now());
  } catch (cause) {
    if (!isDatabaseFailure(cause)) throw cause;
    platform.log("warn", "The inventory of agents could not be written", { cause });
  }
}
