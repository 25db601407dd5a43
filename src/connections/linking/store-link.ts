/** The last step of every way to link: what came of it is kept, recorded and told to every isolate. */
import type { Visit } from "../../login/index.ts";
import { err, ok, type Result } from "../../ports.ts";
import { announceChange } from "../../tenant/index.ts";
import { connectionStore, type ConnectionKey, type NewConnection } from "../../vault/index.ts";
import type { Link } from "./link.ts";
import { recordLinked } from "./link-event.ts";
import { refusal, type LinkRefusal } from "./refusals.ts";
import type { Person } from "./reachable.ts";
import type { LinkTarget } from "./targets.ts";

const refusals = { user_disabled: "user_disabled", full: "too_many_accounts", busy: "unavailable" } as const;

export const keyOf = ({ id }: Person, { target, account }: Pick<Link, "target" | "account">): ConnectionKey => ({
  user_id: id,
  target,
  account,
});

/** Records first what is there already when it fails: an account that nobody heard of must not be used. */
export async function storeLink(
  visit: Visit,
  person: Person,
  link: Link,
  target: LinkTarget,
  given: NewConnection,
): Promise<Result<void, LinkRefusal>> {
  const { platform, tenant } = visit;
  const store = connectionStore(visit);
  const key = keyOf(person, link);
  const isThis = ({ target, account }: ConnectionKey): boolean => target === key.target && account === key.account;
  const replaced = (await store.facts(person.id)).some(isThis);
  const stored = await store.put(key, given);
  if (stored !== "stored") return err(refusal(refusals[stored], target.path));
  const recorded = await recordLinked(visit, person, link, target);
  if (!recorded.ok) {
    const made = (await store.facts(person.id)).find(isThis);
    if (made !== undefined) await store.end(made.id, "not_recorded");
    return err(refusal("unavailable", target.path));
  }
  // Isolates that hold the former account's token in memory let go of it.
  if (replaced && !(await announceChange(platform, tenant.id)).ok) {
    platform.log("warn", "A new connection could not be announced", { tenant: tenant.id });
  }
  return ok(undefined);
}
