/** The end of a connection, as its person wishes it. */
import { authEvent, type Visit } from "../../login/index.ts";
import { announceRevocation } from "../../tenant/index.ts";
import { connectionStore, type ConnectionFacts } from "../../vault/index.ts";
import { endings } from "../endings.ts";
import { isPersonsOwn } from "./account-name.ts";
import type { Person } from "./reachable.ts";

/** @returns a connection of this person; undefined for everybody else's, as for none */
export async function ownConnection(visit: Visit, person: Person, id: string): Promise<ConnectionFacts | undefined> {
  const facts = await connectionStore(visit).byId(id);
  return facts !== undefined && facts.user_id === person.id && isPersonsOwn(facts) ? facts : undefined;
}

/**
 * Ends a connection of this person. It is used no more from now on; the provider is told behind the answer.
 * @returns false when there is none
 * @see RFC 7009; security case UP-21
 */
export async function unlink(visit: Visit, person: Person, id: string): Promise<boolean> {
  const { platform, tenant, recorder, snapshot } = visit;
  const facts = await ownConnection(visit, person, id);
  if (facts === undefined || !(await connectionStore(visit).end(id, "user"))) return false;
  // It has ended, whether it could be recorded or not; the recorder itself logs what could not be.
  const server = [...snapshot.servers.values()].find((one) => one.id === facts.target);
  const resource = server === undefined ? undefined : `${tenant.origin}/mcp/${server.slug}`;
  await recorder.record(
    authEvent(visit, { action: "connection.unlink", outcome: "ok", reason: "user", user: person, resource }),
  );
  await announceRevocation(platform, tenant.id);
  platform.waitUntil(endings(visit, tenant.id));
  return true;
}

/** Makes an account the one that calls use. @returns false when there is none of this person by that id */
export async function makeDefault(visit: Visit, person: Person, id: string): Promise<boolean> {
  const facts = await ownConnection(visit, person, id);
  if (facts === undefined) return false;
  const { user_id, target, account } = facts;
  if (!(await connectionStore(visit).setDefault({ user_id, target, account }))) return false;
  await announceRevocation(visit.platform, visit.tenant.id);
  return true;
}
