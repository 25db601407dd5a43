/** Who an event is about: the agent, the person for whom it acts, and what the client says of itself. */
import type { Principal } from "../admission/index.ts";
import { boundedText, type Actor } from "../audit/index.ts";

/**
 * The subject of a caller's own token stands behind the name of the agent, so that no issuer can name one of our people.
 * @param claimed name that the client gives itself; never verified
 */
export function actorOf({ agent, user, access, subject }: Principal, claimed?: string): Actor {
  const client_name = boundedText(claimed);
  const foreign = subject === undefined ? undefined : boundedText(`${agent}:${subject}`);
  return {
    ...(foreign === undefined ? {} : { user: foreign }),
    ...(user === undefined ? {} : { user: user.id }),
    ...(user?.email === undefined ? {} : { user_email: user.email }),
    agent,
    ...(access?.grant_id === undefined ? {} : { grant: access.grant_id }),
    ...(client_name === undefined ? {} : { client_name }),
  };
}
