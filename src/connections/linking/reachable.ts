/** Which servers exist for a person who connects accounts. */
import { reach } from "../../policy/index.ts";
import type { Server } from "../../registry/index.ts";
import type { Base } from "../types.ts";

/** Somebody in a browser of theirs: of a web session, or the one person of development mode. */
export interface Person {
  readonly id: string;
  readonly email: string | null;
  readonly email_verified: boolean;
  readonly name: string;
  readonly groups: readonly string[];
}

type World = Pick<Base, "platform" | "snapshot">;

/** In the order of slugs. Whatever client they use: an allow-list of one says nothing about the person. */
export function reachableServers({ platform, snapshot }: World, person: Person): readonly Server[] {
  const { mode } = platform.configuration;
  const asker = { mode, client: undefined, user: { groups: new Set(person.groups) } };
  // A passthrough server is reached at its own endpoint only, and may need an account there like any other.
  return [...snapshot.servers.values()].filter(
    (server) => reach({ ...asker, server, endpoint: server.slug }).effect === "allow",
  );
}

/** Of the page where a server's account is connected. */
export const connectPath = (slug: string): string => `/connect/${slug}`;

export function findServer(base: World, person: Person, isIt: (server: Server) => boolean): Server | undefined {
  return reachableServers(base, person).find(isIt);
}
