/** `/oauth/consent`: shows the question, and takes the answer. */
import { checkForm, currentSession, displayName, formToken, sealReturn, type WebSession } from "../../login/index.ts";
import {
  approve,
  decline,
  offeredServers,
  openAuthorization,
  type AuthorizationRequest,
  type OAuthClient,
} from "../../oauth/index.ts";
import type { Server } from "../../registry/index.ts";
import type { PortalContext } from "../context.ts";
import { showForgedForm } from "../errors/refusals.ts";
import { showStopped } from "../errors/stopped.tsx";
import { readFields, single } from "../form.ts";
import { seeOther, show } from "../show.tsx";
import { signInPath } from "../visitor.ts";
import { ConsentPage, type ConsentServer } from "./consent-page.tsx";
import { isFreshFor, standingOf } from "./standing.ts";

const consentPath = (handle: string): string => `/oauth/consent?${new URLSearchParams({ request: handle })}`;

export async function showConsent(c: PortalContext): Promise<Response> {
  const { visit } = c.var;
  const handle = single(new URL(c.req.url).searchParams, "request");
  if (handle === undefined) return showStopped(c, { reason: "request_invalid" });
  const opened = await openAuthorization(visit, handle);
  if (opened.kind === "stopped") return showStopped(c, opened.stop);
  const { request, client } = opened;
  const session = await currentSession(visit, c.req.raw.headers);
  const standing = await standingOf(visit, session, request, client);
  switch (standing.kind) {
    case "redirect":
      return seeOther(standing.location);
    case "stopped":
      return showStopped(c, standing.stop);
    case "sign_in":
      return seeOther(await signInPath(visit, consentPath(handle), standing));
    case "ask":
      return ask(c, { handle, request, client, ...standing });
  }
}

interface Asked {
  readonly handle: string;
  readonly request: AuthorizationRequest;
  readonly client: OAuthClient;
  readonly session: WebSession;
  readonly offered: readonly Server[];
  /** What is missing in the answer that was given. */
  readonly error?: string;
}

async function ask(c: PortalContext, asked: Asked): Promise<Response> {
  const { visit } = c.var;
  const { handle, request, client, session, offered, error } = asked;
  const { user } = session;
  return show(
    c,
    {
      title: `Connect ${client.name}`,
      kind: "onward",
      width: "narrow",
      ...(error === undefined ? {} : { status: 422 as const }),
    },
    <ConsentPage
      client={client}
      request={request}
      handle={handle}
      person={{ name: displayName(user), email: user.email }}
      formToken={await formToken(visit, session)}
      returnHandle={await sealReturn(visit, consentPath(handle))}
      servers={offered.map(consentServer)}
      chosen={new Set(error === undefined ? offered.map(({ id }) => id) : [])}
      {...(error === undefined ? {} : { error })}
    />,
  );
}

const consentServer = ({ id, name, slug, url }: Server): ConsentServer => ({
  id,
  name: name === "" ? slug : name,
  host: URL.parse(url)?.host ?? slug,
  connection: { state: "ready" },
});

/** Nothing of the form is believed but the decision, and which of the servers that were offered are chosen. */
export async function decideConsent(c: PortalContext): Promise<Response> {
  const { visit } = c.var;
  const read = await readFields(c);
  if (!read.ok) return read.error;
  const fields = read.value;
  const session = await currentSession(visit, c.req.raw.headers);
  if (session === undefined || !(await checkForm(visit, session, c.req.raw, fields))) {
    visit.countUnknown("consent_form_refused");
    return showStopped(c, { reason: "other_browser" });
  }
  const handle = single(fields, "request");
  if (handle === undefined) return showForgedForm(c);
  const opened = await openAuthorization(visit, handle);
  if (opened.kind === "stopped") return showStopped(c, opened.stop);
  const { request, client } = opened;
  if (!isFreshFor(session, request, visit.platform.ports.clock.now())) {
    return seeOther(await signInPath(visit, consentPath(handle), { again: true }));
  }
  const decision = single(fields, "decision");
  if (decision === "deny") return seeOther(await decline(visit, session, request, client));
  if (decision !== "allow") return showForgedForm(c);
  const offered = offeredServers(visit, { client, user: session.user, resource: request.resource });
  const asked = new Set(fields.getAll("server"));
  const chosen = offered.map(({ id }) => id).filter((id) => asked.has(id));
  if (chosen.length === 0) {
    return ask(c, { handle, request, client, session, offered, error: "Choose at least one server, or deny." });
  }
  const approved = await approve(visit, session, request, client, chosen, {
    remember: single(fields, "remember") === "yes",
  });
  return approved.kind === "redirect" ? seeOther(approved.location) : showStopped(c, approved.stop);
}
