/** `/connect/{server}` and `/connect/credentials/{id}`: shows what would be connected, and does it. */
import {
  beginLink,
  linkedTarget,
  pasteCredential,
  providerOf,
  type LinkRefusal,
  type PastedFields,
  type Provider,
} from "../../connections/index.ts";
import { formToken } from "../../login/index.ts";
import { agentsRepository } from "../../oauth/index.ts";
import { openDatabase } from "../../db/index.ts";
import type { PortalContext } from "../context.ts";
import { showLinkRefused } from "../errors/link-refused.ts";
import { linkTexts } from "../errors/link-texts.ts";
import { readSubmission, single } from "../form.ts";
import { signedIn } from "../guard.ts";
import { seeOther, show } from "../show.tsx";
import { readAsked, type Asked } from "./asked.ts";
import { ConnectPage } from "./connect-page.tsx";
import { showConnected } from "./connected.tsx";

export async function showConnect(c: PortalContext): Promise<Response> {
  const session = await signedIn(c);
  if (!session.ok) return session.error;
  const asked = await readAsked(c, session.value, new URL(c.req.url).searchParams);
  return asked.ok ? ask(c, asked.value) : showLinkRefused(c, asked.error);
}

/** What is wrong with what was sent; the page is shown again. */
interface Wrong {
  readonly notice?: string;
  readonly key?: string;
}

async function ask(c: PortalContext, asked: Asked, wrong?: Wrong): Promise<Response> {
  const { visit } = c.var;
  const { person, link, target, session, return_to } = asked;
  const usable = await linkedTarget(visit, person, link);
  if (!usable.ok) return showLinkRefused(c, usable.error, return_to);
  let provider: Provider | undefined;
  if (target.kind === "oauth") {
    const found = await providerOf(visit, person, link, target);
    if (!found.ok) return showLinkRefused(c, found.error, return_to);
    provider = found.value;
  }
  return show(
    c,
    {
      title: `Connect ${target.name}`,
      kind: target.kind === "oauth" ? "onward" : "forms",
      width: "narrow",
      ...(wrong === undefined ? {} : { status: 422 as const }),
    },
    <ConnectPage
      asked={wrong === undefined ? { ...asked, accountError: undefined } : asked}
      provider={provider}
      application={await applicationName(c, link.agent)}
      formToken={await formToken(visit, session)}
      cancel={return_to ?? "/me/connections"}
      notice={wrong?.notice}
      keyError={wrong?.key}
    />,
  );
}

/** As the inventory knows it; nobody vouches for the name of one that registered itself. */
async function applicationName(c: PortalContext, agent: string | undefined): Promise<string | undefined> {
  if (agent === undefined) return undefined;
  const { platform, tenant, snapshot } = c.var.visit;
  // Development mode tells no applications apart.
  if (platform.configuration.mode === "development") return "An application on this computer";
  const registered = snapshot.clients.get(agent)?.name;
  if (registered !== undefined) return registered;
  const seen = await agentsRepository(openDatabase(platform.bindings.DB), tenant.id).get(agent);
  return seen === undefined || seen.name === "" ? agent : seen.name;
}

/** Nothing of the form is believed but its sealed link, the name of an account, what was shown, and a key. */
export async function connect(c: PortalContext): Promise<Response> {
  const submitted = await readSubmission(c);
  if (!submitted.ok) return submitted.error;
  const { session, fields } = submitted.value;
  const asked = await readAsked(c, session, fields);
  if (!asked.ok) return showLinkRefused(c, asked.error);
  if (single(fields, "shown") !== asked.value.shown) return ask(c, asked.value, { notice: noticeOf(asked.value) });
  if (asked.value.accountError !== undefined) return ask(c, asked.value, {});
  return asked.value.target.kind === "oauth" ? goOn(c, asked.value, fields) : paste(c, asked.value, fields);
}

/** The person agreed to what the page named: whatever else it would go to now is shown first. */
function noticeOf({ target }: Asked): string {
  const what =
    target.server === undefined ? "The servers that this is used by have changed." : "The server has changed.";
  return `${what} Nothing was stored. Look at the page again before you go on.`;
}

async function goOn(c: PortalContext, asked: Asked, fields: URLSearchParams): Promise<Response> {
  const { visit } = c.var;
  const { person, link, target, return_to } = asked;
  const usable = await linkedTarget(visit, person, link);
  if (!usable.ok) return showLinkRefused(c, usable.error, return_to);
  const provider = await providerOf(visit, person, link, target);
  if (!provider.ok) return showLinkRefused(c, provider.error, return_to);
  // The person agreed to be sent to this provider, for these permissions; all else is asked for anew.
  if (single(fields, "provider") !== provider.value.shown) {
    return ask(c, asked, {
      notice:
        "The provider of this server, or what it is asked for, has changed. Look at the page again before you go on.",
    });
  }
  const begun = await beginLink(visit, person, link, provider.value, return_to);
  return begun.ok ? seeOther(begun.value.location) : showLinkRefused(c, begun.error, return_to);
}

async function paste(c: PortalContext, asked: Asked, fields: URLSearchParams): Promise<Response> {
  const { person, link, return_to } = asked;
  const pasted: PastedFields = { value: single(fields, "key") ?? "", username: single(fields, "username") };
  const kept = await pasteCredential(c.var.visit, person, link, pasted, c.var.checkServer);
  if (kept.ok) {
    return showConnected(c, asked.session, { target: kept.value, account: link.account, agent: link.agent, return_to });
  }
  return isAboutKey(kept.error)
    ? ask(c, asked, { key: `${linkTexts[kept.error.reason].what} ${linkTexts[kept.error.reason].you}` })
    : showLinkRefused(c, kept.error, return_to);
}

const isAboutKey = ({ reason }: LinkRefusal): boolean =>
  reason === "key_invalid" || reason === "key_refused" || reason === "key_unchecked";
