/** `/admin/redirect-uris`: where answers of authorizations may go, and what was turned away lately. */
import type { Child } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import { limits } from "../../limits.ts";
import type { WebSession } from "../../login/index.ts";
import { parseTrustedRedirect } from "../../oauth/index.ts";
import type { PortalContext } from "../context.ts";
import { Button, Card, EmptyState, Field, Form, Moment, Notice, Table } from "../design/index.ts";
import { showNotFound } from "../errors/refusals.ts";
import { single } from "../form.ts";
import { staffSignedIn } from "../guard.ts";
import { seeOther, show } from "../show.tsx";
import { signInPath, visitorOf } from "../visitor.ts";
import { blockedAnswer, redirectsAnswer, type BlockedRedirect } from "./answers.ts";
import { ask, change, isFresh, readAdministratorForm, showStale } from "./ask.ts";

const path = "/admin/redirect-uris";
const note_chars = 200;

/** What stands in the form: what was typed, and what is wrong with it. */
interface Typed {
  readonly uri: string;
  readonly note: string;
  readonly error?: string;
}

export async function showRedirects(c: PortalContext): Promise<Response> {
  const session = await staffSignedIn(c);
  if (!session.ok) return session.error;
  return showList(c, session.value, { uri: c.req.query("uri") ?? "", note: c.req.query("note") ?? "" });
}

async function showList(c: PortalContext, session: WebSession, typed: Typed): Promise<Response> {
  const trusted = await ask(c, session, `/redirect-uris?limit=${limits.trustedRedirects_count}`, redirectsAnswer);
  if (!trusted.ok) return trusted.error;
  const blocked = await ask(c, session, "/redirect-uris/blocked", blockedAnswer);
  if (!blocked.ok) return blocked.error;
  const { visit } = c.var;
  const visitor = await visitorOf(visit, session);
  const now = visit.platform.ports.clock.now();
  const mayChange = session.user.role === "administrator";
  const shown = { now, mayChange, formToken: visitor.formToken };
  return show(
    c,
    {
      title: "Redirect URLs",
      kind: "forms",
      visitor,
      path,
      ...(typed.error === undefined ? {} : { status: 422 as const }),
    },
    <div class="stack stack-wide">
      <div class="stack stack-tight">
        <h1>Redirect URLs</h1>
        <p class="muted">
          When a person allows an application something, the answer is sent to one of these addresses and to no other.
        </p>
      </div>
      {mayChange && !isFresh(c, session) ? <Stale href={await signInPath(visit, path, { again: true })} /> : null}
      {mayChange ? <AddForm typed={typed} formToken={visitor.formToken} /> : null}
      <h2>Blocked lately</h2>
      {blocked.value.items.length === 0 ? (
        <p class="muted">Nothing was turned away.</p>
      ) : (
        <Table
          caption="Blocked lately"
          columns={["Redirect URL", "Application", "Attempts", "Last", ...(mayChange ? ["Change"] : [])]}
          rows={blocked.value.items.map((item) => blockedRow(item, shown))}
        />
      )}
      <h2>Trusted</h2>
      {trusted.value.items.length === 0 ? (
        <EmptyState title="No redirect URL is trusted">
          <p>Until one is, no application can connect.</p>
        </EmptyState>
      ) : (
        <>
          {mayChange ? <p>Removing one ends every grant that used it, at once. People must connect again.</p> : null}
          <Table
            caption="Trusted redirect URLs"
            columns={["Redirect URL", "Note", "Added", ...(mayChange ? ["Change"] : [])]}
            rows={trusted.value.items.map(({ id, uri, note, created_at }) => [
              <span class="code">{uri}</span>,
              note,
              <Moment at={created_at} now={now} />,
              ...(mayChange ? [<RemoveForm id={id} uri={uri} formToken={visitor.formToken} />] : []),
            ])}
          />
        </>
      )}
    </div>,
  );
}

function Stale({ href }: { readonly href: string }): JSX.Element {
  return (
    <Notice tone="info">
      <p>
        Changes on this page need a fresh sign-in. <a href={href}>Sign in again</a> before you begin.
      </p>
    </Notice>
  );
}

function AddForm({ typed, formToken }: { readonly typed: Typed; readonly formToken: string }): JSX.Element {
  return (
    <Card label="Trust a redirect URL">
      <h2>Trust a redirect URL</h2>
      <Form action={path} formToken={formToken}>
        <Field
          name="uri"
          label="URL"
          hint="Exactly as the application sends it: https://app.example/callback, cursor://host/path, or http://127.0.0.1/callback for any port."
          value={typed.uri}
          error={typed.error}
          chars_max={limits.redirectUri_chars}
          required
        />
        <Field
          name="note"
          label="Note"
          hint="For your colleagues: which application, and why."
          value={typed.note}
          chars_max={note_chars}
        />
        <div class="actions">
          <Button look="primary">Trust</Button>
        </div>
      </Form>
    </Card>
  );
}

function RemoveForm(props: { readonly id: string; readonly uri: string; readonly formToken: string }): JSX.Element {
  return (
    <Form action={`${path}/${props.id}/remove`} formToken={props.formToken}>
      <Button look="danger" label={`Remove ${props.uri} and end its grants`}>
        Remove
      </Button>
    </Form>
  );
}

function blockedRow(
  item: BlockedRedirect,
  shown: { readonly now: number; readonly mayChange: boolean; readonly formToken: string },
): readonly Child[] {
  const entry = parseTrustedRedirect(item.trust);
  const trust = entry.ok ? (
    <Form action={path} formToken={shown.formToken}>
      <input type="hidden" name="uri" value={entry.value} />
      <input type="hidden" name="note" value={item.client_name.slice(0, note_chars)} />
      <Button label={`Trust this: ${entry.value}`}>Trust this</Button>
    </Form>
  ) : (
    <span class="muted">cannot be trusted</span>
  );
  return [
    <span class="code">{item.redirect_uri}</span>,
    <span class="stack stack-tight">
      <bdi>{item.client_name}</bdi>
      <span class="code muted small">{item.client_id}</span>
    </span>,
    item.attempts,
    <Moment at={item.last_at} now={shown.now} />,
    ...(shown.mayChange ? [trust] : []),
  ];
}

export async function addRedirect(c: PortalContext): Promise<Response> {
  const submitted = await readAdministratorForm(c);
  if (!submitted.ok) return submitted.error;
  const { session, fields } = submitted.value;
  const typed = { uri: (single(fields, "uri") ?? "").trim(), note: (single(fields, "note") ?? "").trim() };
  if (!isFresh(c, session)) return showStale(c, `${path}?${new URLSearchParams(typed)}`);
  const changed = await change(c, session, "POST", "/redirect-uris", typed);
  if (changed.ok) return seeOther(path);
  if (changed.error instanceof Response) return changed.error;
  return showList(c, session, { ...typed, error: changed.error.sentence });
}

export async function removeRedirect(c: PortalContext): Promise<Response> {
  const submitted = await readAdministratorForm(c);
  if (!submitted.ok) return submitted.error;
  const { session } = submitted.value;
  const id = c.req.param("id") ?? "";
  if (!/^[0-9a-f-]{36}$/.test(id)) return showNotFound(c);
  if (!isFresh(c, session)) return showStale(c, path);
  const changed = await change(c, session, "DELETE", `/redirect-uris/${id}`);
  if (changed.ok) return seeOther(path);
  return changed.error instanceof Response ? changed.error : showNotFound(c);
}
