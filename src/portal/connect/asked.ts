/** What a request to a connect page is about: read from its parameters, of which nothing is believed that is not sealed or looked up. */
import {
  accountNameSchema,
  accountsOf,
  defaultAccount,
  factsOf,
  openLink,
  ownLink,
  targetsOfServer,
  reachableServers,
  findTarget,
  type Account,
  type Link,
  type LinkRefusal,
  type LinkTarget,
  type Person,
} from "../../connections/index.ts";
import { openReturn, type WebSession } from "../../login/index.ts";
import { err, ok, type Result } from "../../ports.ts";
import { sha256 } from "../../sha256.ts";
import type { PortalContext } from "../context.ts";
import { single } from "../form.ts";
import { personOf } from "../visitor.ts";

export interface Asked {
  readonly session: WebSession;
  readonly person: Person;
  readonly link: Link;
  readonly target: LinkTarget;
  /** What the person has there already. */
  readonly accounts: readonly Account[];
  /** Whether the person names a further account on this page. */
  readonly isAnother: boolean;
  /** As typed; only with `isAnother`. */
  readonly typed: string;
  /** What is wrong with it. */
  readonly accountError: string | undefined;
  /** Path of the page itself. */
  readonly path: string;
  /** Digest of the places that what is connected may go to. The form tells it, so that none is added behind the person's back. */
  readonly shown: string;
  /** What its form carries on. */
  readonly carried: Readonly<Record<string, string>>;
  /** Where to go afterwards: a path of ours. */
  readonly return_to: string | undefined;
}

type Question = Omit<Asked, "session" | "person" | "path" | "shown" | "return_to">;

const refused = (reason: LinkRefusal["reason"]): Result<never, LinkRefusal> => err({ reason });

/** @param parameters of the address, or of the form; both have the same */
export async function readAsked(
  c: PortalContext,
  session: WebSession,
  parameters: URLSearchParams,
): Promise<Result<Asked, LinkRefusal>> {
  const { visit } = c.var;
  const person = personOf(session);
  const to = single(parameters, "to");
  const returned = to === undefined ? undefined : await openReturn(visit, to);
  const return_to = returned?.ok === true ? returned.value : undefined;
  const handle = single(parameters, "link");
  const found = await (handle === undefined
    ? askedByPerson(c, person, parameters)
    : askedByApplication(c, person, handle));
  if (!found.ok) return return_to === undefined ? found : err({ ...found.error, return_to });
  const { carried, target } = found.value;
  return ok({
    ...{ session, person, path: new URL(c.req.url).pathname, shown: await sha256(target.fit) },
    ...found.value,
    carried: to === undefined ? carried : { ...carried, to },
    return_to,
  });
}

/** A link that an application gave: everything is fixed in it. */
async function askedByApplication(
  c: PortalContext,
  person: Person,
  handle: string,
): Promise<Result<Question, LinkRefusal>> {
  const { visit } = c.var;
  const opened = await openLink(visit, handle, person);
  if (!opened.ok) return opened;
  const link = opened.value;
  const reachable = reachableServers(visit, person);
  const server = reachable.find(({ slug }) => slug === c.req.param("slug"));
  if (server === undefined || server.id !== link.server_id) return refused("link_unknown");
  const target = (await targetsOfServer(visit, server, reachable)).find((one) => one.target === link.target);
  if (target === undefined) return refused("nothing_to_connect");
  const accounts = accountsOf(target, await factsOf(visit, person));
  return ok({ target, accounts, link, ...fixed, carried: { link: handle } });
}

const fixed = { isAnother: false, typed: "", accountError: undefined };

/** What the person begins by themselves: for the account that calls use, for one by its name, or for another one. */
async function askedByPerson(
  c: PortalContext,
  person: Person,
  parameters: URLSearchParams,
): Promise<Result<Question, LinkRefusal>> {
  const { visit } = c.var;
  const target = await ownTarget(c, person);
  if (!target.ok) return target;
  const accounts = accountsOf(target.value, await factsOf(visit, person));
  const used = accounts[0]?.facts.account ?? defaultAccount;
  const typed = single(parameters, "account");
  const isAnother = single(parameters, "another") === "yes" && accounts.length > 0;
  const name = accountNameSchema.safeParse(typed ?? (isAnother ? "" : used));
  if (!isAnother) {
    const known = accounts.find(({ facts }) => facts.account === typed)?.facts.account;
    const account = known ?? (name.success ? name.data : undefined);
    if (account === undefined) return refused("account_invalid");
    const link = ownLink(visit, person, target.value.target, account);
    return ok({ link, target: target.value, accounts, ...fixed, carried: { account } });
  }
  const isTaken = name.success && accounts.some(({ facts }) => facts.account === name.data);
  return ok({
    link: ownLink(visit, person, target.value.target, name.success ? name.data : ""),
    ...{ target: target.value, accounts, isAnother, typed: typed ?? "", carried: { another: "yes" } },
    accountError: isTaken
      ? "You have an account by this name here."
      : name.success
        ? undefined
        : "Letters, digits, spaces and . _ @ + -; a letter or digit at both ends.",
  });
}

async function ownTarget(c: PortalContext, person: Person): Promise<Result<LinkTarget, LinkRefusal>> {
  const { visit } = c.var;
  const { slug, id } = c.req.param();
  if (slug === undefined) {
    const found = await findTarget(visit, person, `credential:${id ?? ""}`);
    return found === undefined ? refused("server_gone") : ok(found);
  }
  const reachable = reachableServers(visit, person);
  const server = reachable.find((one) => one.slug === slug);
  if (server === undefined) return refused("server_gone");
  const [first] = await targetsOfServer(visit, server, reachable);
  return first === undefined ? refused("nothing_to_connect") : ok(first);
}
