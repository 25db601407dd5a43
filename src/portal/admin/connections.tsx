/** `/admin/connections`: who has connected what, and in which state it is. Never the credential itself: nobody can read that. */
import type { Child } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import { openDatabase } from "../../db/index.ts";
import { displayName, usersRepository } from "../../login/index.ts";
import type { PortalContext } from "../context.ts";
import { Button, ButtonLink, EmptyState, Form, Moment, Notice, Table } from "../design/index.ts";
import { showNotFound } from "../errors/refusals.ts";
import { staffSignedIn } from "../guard.ts";
import { defaultAccount, serverName } from "../../connections/index.ts";
import { stateBadge } from "../me/connection-state.tsx";
import { seeOther, show } from "../show.tsx";
import { visitorOf } from "../visitor.ts";
import { connectionsAnswer, type ListedConnection } from "./answers.ts";
import { ask, change, readAdministratorForm } from "./ask.ts";

const path = "/admin/connections";

export async function showConnections(c: PortalContext): Promise<Response> {
  const session = await staffSignedIn(c);
  if (!session.ok) return session.error;
  const cursor = c.req.query("cursor");
  const query = cursor === undefined ? "" : `?${new URLSearchParams({ cursor })}`;
  const answer = await ask(c, session.value, `/connections${query}`, connectionsAnswer);
  if (!answer.ok) return answer.error;
  const { items, next } = answer.value;
  const { visit } = c.var;
  const visitor = await visitorOf(visit, session.value);
  const mayChange = session.value.user.role === "administrator";
  const names = await namesOf(c, items);
  const servers = new Map([...visit.snapshot.servers.values()].map((server) => [server.id, serverName(server)]));
  const shown = { names, servers, mayChange, formToken: visitor.formToken, now: visit.platform.ports.clock.now() };
  return show(
    c,
    { title: "Connections", kind: "forms", visitor, path },
    <div class="stack stack-wide">
      <div class="stack stack-tight">
        <h1>Connections</h1>
        <p class="muted">
          Accounts and keys at servers, of people and of the organisation. Their secrets cannot be shown to anybody.
        </p>
      </div>
      {c.req.query("done") === "removed" ? (
        <Notice tone="good">
          <p>The connection was removed. It is used no more from now on.</p>
        </Notice>
      ) : null}
      {items.length === 0 ? (
        <EmptyState title="Nothing is connected yet">
          <p>What people connect under My connections, or when an application asks them to, is listed here.</p>
        </EmptyState>
      ) : (
        <Table
          caption="Connections"
          stacks
          columns={["Who", "Server", "Account", "State", "Since", ...(mayChange ? ["Change"] : [])]}
          rows={items.map((item) => rowOf(item, shown))}
        />
      )}
      {next === null ? null : (
        <p class="actions">
          <ButtonLink href={`${path}?${new URLSearchParams({ cursor: next })}`}>Show more</ButtonLink>
        </p>
      )}
    </div>,
  );
}

/** Of the people of one page. */
async function namesOf(c: PortalContext, items: readonly ListedConnection[]): Promise<ReadonlyMap<string, string>> {
  const { platform, tenant } = c.var.visit;
  const users = usersRepository(openDatabase(platform.bindings.DB), tenant.id);
  const ids = [...new Set(items.map(({ user_id }) => user_id))].filter((id) => id !== null);
  const found = await Promise.all(ids.map((id) => users.get(id)));
  return new Map(found.flatMap((user) => (user === undefined ? [] : [[user.id, displayName(user)] as const])));
}

interface Frame {
  readonly names: ReadonlyMap<string, string>;
  /** Names by id. */
  readonly servers: ReadonlyMap<string, string>;
  readonly mayChange: boolean;
  readonly formToken: string;
  readonly now: number;
}

function rowOf(item: ListedConnection, { names, servers, mayChange, formToken, now }: Frame): readonly Child[] {
  const who = item.user_id === null ? "The organisation" : (names.get(item.user_id) ?? item.user_id);
  const issuer = item.issuer === null ? undefined : URL.parse(item.issuer)?.host;
  const account = accountWords(item);
  const server = servers.get(item.target) ?? item.server ?? targetWords(item.target);
  return [
    <bdi>{who}</bdi>,
    <span class="stack stack-tight">
      <bdi>{server}</bdi>
      {issuer === undefined ? null : <span class="muted small host">{issuer}</span>}
    </span>,
    <bdi>{account}</bdi>,
    <span class="stack stack-tight">
      {stateBadge(item.state)}
      {item.reason === null ? null : <span class="muted small">{item.reason}</span>}
    </span>,
    <Moment at={item.created_at} now={now} />,
    ...(mayChange
      ? [
          <RemoveForm
            id={item.id}
            label={`Remove ${isNamed(item) ? account : `the ${account.toLowerCase()}`} of ${who} at ${server}`}
            formToken={formToken}
          />,
        ]
      : []),
  ];
}

/** The first account of somebody has no name, as on their own page; a header's token is known by the header. */
function accountWords({ account, issuer }: ListedConnection): string {
  if (!isNamed({ account })) return issuer === null ? "Key" : "Account";
  return account.startsWith("header:") ? `Header ${account.slice("header:".length)}` : account;
}

const isNamed = ({ account }: Pick<ListedConnection, "account">): boolean => account !== defaultAccount;

function targetWords(target: string): string {
  if (target === "idp") return "Sign-in";
  return target.startsWith("credential:") ? "Stored credential" : "A server that was removed";
}

function RemoveForm(props: { readonly id: string; readonly label: string; readonly formToken: string }): JSX.Element {
  return (
    <Form action={`${path}/${props.id}/remove`} formToken={props.formToken}>
      <Button look="danger" label={props.label}>
        Remove
      </Button>
    </Form>
  );
}

export async function removeConnection(c: PortalContext): Promise<Response> {
  const submitted = await readAdministratorForm(c);
  if (!submitted.ok) return submitted.error;
  const id = c.req.param("id") ?? "";
  if (!/^[0-9a-f-]{36}$/.test(id)) return showNotFound(c);
  const changed = await change(c, submitted.value.session, "DELETE", `/connections/${id}`);
  if (changed.ok) return seeOther(`${path}?done=removed`);
  return changed.error instanceof Response ? changed.error : showNotFound(c);
}
