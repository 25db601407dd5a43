/** `/oauth/consent`: shows the question, and takes the answer. */
import {
  accountsOf,
  factsOf,
  readiness,
  serverName,
  targetsOfServer,
  type LinkTarget,
} from "../../connections/index.ts";
import {
  checkForm,
  currentSession,
  displayName,
  formToken,
  sealReturn,
  type Visit,
  type WebSession,
} from "../../login/index.ts";
import {
  approve,
  decline,
  offeredServers,
  openAuthorization,
  type AuthorizationRequest,
  type OAuthClient,
} from "../../oauth/index.ts";
import { limits } from "../../limits.ts";
import type { Server } from "../../registry/index.ts";
import type { PortalContext } from "../context.ts";
import { showForgedForm } from "../errors/refusals.ts";
import { showStopped } from "../errors/stopped.tsx";
import { readFields, single } from "../form.ts";
import { seeOther, show } from "../show.tsx";
import { personOf, signInPath } from "../visitor.ts";
import { openChoices, sealChoices, type Choices, type ChoicesOf } from "./choices.ts";
import { ConsentPage, type ConnectionState, type ConsentServer } from "./consent-page.tsx";
import { isFreshFor, standingOf } from "./standing.ts";

function consentPath(handle: string, choices?: string): string {
  const more = choices === undefined ? {} : { choices };
  return `/oauth/consent?${new URLSearchParams({ request: handle, ...more })}`;
}

export async function showConsent(c: PortalContext): Promise<Response> {
  const { visit } = c.var;
  const { searchParams } = new URL(c.req.url);
  const handle = single(searchParams, "request");
  if (handle === undefined) return showStopped(c, { reason: "request_invalid" });
  const kept = single(searchParams, "choices");
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
      return seeOther(await signInPath(visit, consentPath(handle, kept), standing));
    case "ask":
      return ask(c, { handle, request, client, ...standing, ...(await choicesFor(visit, request, standing, kept)) });
  }
}

type Asking = Extract<Awaited<ReturnType<typeof standingOf>>, { kind: "ask" }>;

/** As they were left, or everything the first time. Choices that fit no more tick nothing: nobody grants what they had refused. */
async function choicesFor(
  visit: Visit,
  request: AuthorizationRequest,
  { session, offered }: Pick<Asking, "session" | "offered">,
  kept: string | undefined,
): Promise<Pick<Asked, "choices" | "error">> {
  if (kept === undefined) return { choices: { chosen: new Set(offered.map(({ id }) => id)), remember: false } };
  const choices = await openChoices(visit, choicesOf(request, session, offered), kept);
  if (choices !== undefined) return { choices };
  const error = "What you can choose from has changed meanwhile. Please choose again.";
  return { choices: { chosen: new Set(), remember: false }, error };
}

const choicesOf = (request: AuthorizationRequest, { user }: WebSession, offered: readonly Server[]): ChoicesOf => ({
  ...{ request_id: request.id, user_id: user.id, offered: offered.map(({ id }) => id) },
});

interface Asked {
  readonly handle: string;
  readonly request: AuthorizationRequest;
  readonly client: OAuthClient;
  readonly session: WebSession;
  readonly offered: readonly Server[];
  readonly choices: Choices;
  /** What is missing in the answer that was given, or why it must be given again. */
  readonly error?: string;
  readonly status?: 422;
}

async function ask(c: PortalContext, asked: Asked): Promise<Response> {
  const { visit } = c.var;
  const { handle, request, client, session, offered, choices, error, status } = asked;
  const { user } = session;
  return show(
    c,
    {
      title: `Connect ${client.name}`,
      kind: "onward",
      width: "narrow",
      ...(status === undefined ? {} : { status }),
    },
    <ConsentPage
      client={client}
      request={request}
      handle={handle}
      person={{ name: displayName(user), email: user.email }}
      formToken={await formToken(visit, session)}
      returnHandle={await sealReturn(visit, consentPath(handle))}
      servers={await consentServers(visit, session, offered)}
      choices={choices}
      {...(error === undefined ? {} : { error })}
    />,
  );
}

/** With what each of them still needs of this person. */
async function consentServers(
  visit: Visit,
  session: WebSession,
  offered: readonly Server[],
): Promise<readonly ConsentServer[]> {
  const facts = await factsOf(visit, personOf(session));
  return Promise.all(
    offered.map(async (server): Promise<ConsentServer> => {
      const targets = await targetsOfServer(visit, server);
      return {
        ...{ id: server.id, slug: server.slug, name: serverName(server) },
        host: URL.parse(server.url)?.host ?? server.slug,
        connection: connectionState(targets, facts),
      };
    }),
  );
}

/** The first thing that is missing stands for all: after it the page shows the next. */
function connectionState(targets: readonly LinkTarget[], facts: Awaited<ReturnType<typeof factsOf>>): ConnectionState {
  if (targets.length === 0) return { state: "ready" };
  const what = targets.every(({ kind }) => kind === "oauth") ? "account" : "key";
  for (const target of targets) {
    const state = readiness(accountsOf(target, facts));
    const asks = target.kind === "oauth" ? "account" : "key";
    if (state !== "connected") return { state, what: asks, path: target.path };
  }
  return { state: "connected", what };
}

/** Nothing of the form is believed but the decision, and which of the servers that were offered it is about. */
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
  const slug = single(fields, "connect");
  if (decision !== "allow" && slug === undefined) return showForgedForm(c);
  const offered = offeredServers(visit, { client, user: session.user, resource: request.resource });
  const named = new Set(fields.getAll("server"));
  const chosen = offered.map(({ id }) => id).filter((id) => named.has(id));
  const remember = single(fields, "remember") === "yes";
  const asked: Asked = { handle, request, client, session, offered, choices: { chosen: new Set(chosen), remember } };
  if (decision !== "allow") return connectFirst(c, asked, slug ?? "");
  if (chosen.length === 0) return ask(c, { ...asked, error: "Choose at least one server, or deny.", status: 422 });
  const approved = await approve(visit, session, request, client, chosen, { remember });
  return approved.kind === "redirect" ? seeOther(approved.location) : showStopped(c, approved.stop);
}

const tooLong =
  "This application’s request is too long to come back to. Allow it first, then connect your account under My connections, or when the application asks for it.";

/** On to where an account is connected, and back to this page as it is now. Nothing was decided. */
async function connectFirst(c: PortalContext, asked: Asked, slug: string): Promise<Response> {
  const { visit } = c.var;
  const { handle, request, session, offered, choices } = asked;
  const kept = await sealChoices(visit, choicesOf(request, session, offered), choices);
  const back = consentPath(handle, kept);
  const server = offered.filter((one) => one.slug === slug);
  const [found] = await consentServers(visit, session, server);
  // Closed to them, or connected in another window meanwhile: the page says how things stand.
  if (found === undefined || !("path" in found.connection)) return seeOther(back);
  // A way back that is not kept would lose the whole request.
  if (back.length > limits.returnPath_chars) return ask(c, { ...asked, error: tooLong, status: 422 });
  return seeOther(`${found.connection.path}?${new URLSearchParams({ to: await sealReturn(visit, back) })}`);
}
