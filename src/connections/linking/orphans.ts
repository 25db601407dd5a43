/** Connections that nothing uses any more, and what is true of them now. */
import { openDatabase } from "../../db/index.ts";
import { storedCredentialsRepository, type StoredCredential } from "../stored-credentials.ts";
import type { ConnectionFacts } from "../../vault/index.ts";
import type { Base } from "../types.ts";
import { reachableServers, type Person } from "./reachable.ts";
import { serverName } from "./targets.ts";

type World = Pick<Base, "platform" | "tenant" | "snapshot">;

/**
 * `gone`: the server or the credential was removed. `closed`: switched off, or not open to the person. `not_asked`: there, but nothing that
 * the person may use asks for one of theirs.
 */
export type OrphanReason = "gone" | "closed" | "not_asked";

export interface Orphan {
  readonly facts: ConnectionFacts;
  /** Undefined when it is gone. */
  readonly name: string | undefined;
  readonly kind: "server" | "credential";
  readonly why: OrphanReason;
}

const prefix = "credential:";

/** @param facts of a connection of this person that is for none of what they can connect */
export async function orphanOf(base: World, person: Person, facts: ConnectionFacts): Promise<Orphan> {
  const { target } = facts;
  if (target.startsWith(prefix)) {
    const name = (await credentialOf(base, target))?.name;
    return { facts, name, kind: "credential", why: name === undefined ? "gone" : "not_asked" };
  }
  const server = serverOf(base, target);
  if (server === undefined) return { facts, name: undefined, kind: "server", why: "gone" };
  const isOpen = reachableServers(base, person).some(({ id }) => id === target);
  return { facts, name: serverName(server), kind: "server", why: isOpen ? "not_asked" : "closed" };
}

/** What the person connected they may see by name, whether they may use it now or not. @returns undefined when it is gone */
export async function targetName(base: World, target: string): Promise<string | undefined> {
  if (target.startsWith(prefix)) return (await credentialOf(base, target))?.name;
  const server = serverOf(base, target);
  return server === undefined ? undefined : serverName(server);
}

const serverOf = ({ snapshot }: World, target: string) =>
  [...snapshot.servers.values()].find(({ id }) => id === target);

function credentialOf({ platform, tenant }: World, target: string): Promise<StoredCredential | undefined> {
  const repository = storedCredentialsRepository(openDatabase(platform.bindings.DB), tenant.id);
  return repository.get(target.slice(prefix.length));
}
