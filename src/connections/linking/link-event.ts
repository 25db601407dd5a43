/** What the log is told of each way to link: that an account was connected, or why not. */
import { authEvent, type Visit } from "../../login/index.ts";
import type { Failure } from "../../errors.ts";
import type { Result } from "../../ports.ts";
import type { LinkRefusalReason } from "./refusals.ts";
import type { Person } from "./reachable.ts";
import type { LinkTarget } from "./targets.ts";

/** Whoever asked for the link. */
interface Asking {
  readonly agent?: string | undefined;
}

export const recordLinked = (
  visit: Visit,
  person: Person,
  link: Asking,
  target: LinkTarget,
): Promise<Result<void, Failure>> =>
  visit.recorder.record(authEvent(visit, { ...act(visit, person, link, target), outcome: "ok" }));

/** Refused it is in any case; the recorder itself logs what could not be recorded. */
export async function recordRefusal(
  visit: Visit,
  person: Person,
  about: { readonly link?: Asking | undefined; readonly target?: LinkTarget | undefined },
  reason: LinkRefusalReason | (string & {}),
): Promise<void> {
  const { link, target } = about;
  await visit.recorder.record(authEvent(visit, { ...act(visit, person, link, target), outcome: "refused", reason }));
}

function act({ tenant }: Visit, person: Person, link: Asking | undefined, target: LinkTarget | undefined) {
  return {
    action: "connection.link",
    user: person,
    agent: link?.agent,
    resource: target === undefined ? undefined : `${tenant.origin}${resourcePath(target)}`,
  };
}

/** Of a server its own endpoint here; a credential has none but the page on which it is given. */
function resourcePath({ server, path }: LinkTarget): string {
  return server === undefined ? path : `/mcp/${server.slug}`;
}
