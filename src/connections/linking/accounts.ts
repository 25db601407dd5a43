/** What a person has connected, as they see it. */
import { connectionStore, type ConnectionFacts } from "../../vault/index.ts";
import { stateOf, type ConnectionState } from "../state.ts";
import type { Base } from "../types.ts";
import { isPersonsOwn } from "./account-name.ts";
import { orphanOf, type Orphan } from "./orphans.ts";
import { targetsOf, type LinkTarget } from "./targets.ts";
import type { Person } from "./reachable.ts";

type World = Pick<Base, "platform" | "tenant" | "vault" | "snapshot">;

export interface Account {
  readonly facts: ConnectionFacts;
  readonly state: ConnectionState;
}

export interface TargetAccounts {
  readonly target: LinkTarget;
  /** Empty where nothing is connected yet. The default comes first, the others go by their names. */
  readonly accounts: readonly Account[];
}

export interface PersonConnections {
  readonly targets: readonly TargetAccounts[];
  /** For nothing that the person can connect now. */
  readonly orphans: readonly Orphan[];
}

export async function connectionsOf(base: World, person: Person): Promise<PersonConnections> {
  const [targets, all] = await Promise.all([targetsOf(base, person), factsOf(base, person)]);
  const known = new Set(targets.map(({ target }) => target));
  const orphans = all.filter(({ target }) => !known.has(target));
  return {
    targets: targets.map((target) => ({ target, accounts: accountsOf(target, all) })),
    orphans: await Promise.all(orphans.map((facts) => orphanOf(base, person, facts))),
  };
}

export async function factsOf(
  base: Pick<Base, "platform" | "tenant" | "vault">,
  { id }: Person,
): Promise<ConnectionFacts[]> {
  return (await connectionStore(base).facts(id)).filter(isPersonsOwn);
}

export function accountsOf(target: LinkTarget, all: readonly ConnectionFacts[]): Account[] {
  return all
    .filter((facts) => facts.target === target.target)
    .toSorted((a, b) => Number(b.is_default) - Number(a.is_default) || (a.account < b.account ? -1 : 1))
    .map((facts) => ({ facts, state: stateOf(facts, target.server, target.uses) }));
}

/** Whether calls can use it as it is: what the account that they use is in. */
export function readiness(accounts: readonly Account[]): "connected" | "reconnect" | "connect" {
  const used = accounts.find(({ facts }) => facts.is_default) ?? accounts[0];
  if (used === undefined) return "connect";
  return used.state === "linked" ? "connected" : "reconnect";
}
