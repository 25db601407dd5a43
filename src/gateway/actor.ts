/** Who an event is about: the agent, the person for whom it acts, and what the client says of itself. */
import type { Principal } from "../admission/index.ts";
import { boundedText, type Actor } from "../audit/index.ts";

/** @param claimed name that the client gives itself; never verified */
export function actorOf({ agent, user, access }: Principal, claimed?: string): Actor {
  const client_name = boundedText(claimed);
  return {
    ...(user === undefined ? {} : { user: user.id }),
    ...(user?.email === undefined ? {} : { user_email: user.email }),
    agent,
    ...(access?.grant_id === undefined ? {} : { grant: access.grant_id }),
    ...(client_name === undefined ? {} : { client_name }),
  };
}
