/** `/me/connections`: this person's own accounts and keys at servers, their state, and the end of them. */
import type { Child } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import {
  connectionsOf,
  makeDefault,
  ownConnection,
  targetName,
  unlink,
  type Account,
  type PersonConnections,
  type TargetAccounts,
} from "../../connections/index.ts";
import { openDatabase } from "../../db/index.ts";
import type { WebSession } from "../../login/index.ts";
import { grantsRepository } from "../../oauth/index.ts";
import type { PortalContext } from "../context.ts";
import { Badge, Button, ButtonLink, Card, EmptyState, Facts, Form, Moment, Notice } from "../design/index.ts";
import { showNotFound } from "../errors/refusals.ts";
import { readSubmission } from "../form.ts";
import { signedIn } from "../guard.ts";
import { seeOther, show } from "../show.tsx";
import { personOf, visitorOf } from "../visitor.ts";
import { accountName, permissionWords, thingOf, type Thing } from "./account-words.ts";
import { stateBadge } from "./connection-state.tsx";
import { DisconnectLink, Orphans } from "./orphans.tsx";

const path = "/me/connections";

/** Words for what was just done; the page takes nothing else from its address. */
const done: Readonly<Record<string, string>> = {
  connected: "It is connected, and calls can use it from now on.",
  disconnected:
    "It is disconnected, and used no more from now on. Where a provider offers it, it is told to end the access.",
};

interface Frame {
  readonly now: number;
  readonly formToken: string;
  readonly isSealed: boolean;
  /** Ids of servers that an application may use for this person; undefined where nobody allows that: development mode. */
  readonly granted: ReadonlySet<string> | undefined;
}

export async function showConnections(c: PortalContext): Promise<Response> {
  const session = await signedIn(c);
  if (!session.ok) return session.error;
  const { visit } = c.var;
  const [{ targets, orphans }, granted] = await Promise.all([
    connectionsOf(visit, personOf(session.value)),
    grantedServers(c, session.value),
  ]);
  const visitor = await visitorOf(visit, session.value);
  const isSealed = visit.snapshot.settings.vault_sealed;
  const frame = { now: visit.platform.ports.clock.now(), formToken: visitor.formToken, isSealed, granted };
  const said = done[c.req.query("done") ?? ""] ?? usedNow(targets, c.req.query("uses"));
  return show(
    c,
    { title: "My connections", kind: "forms", visitor, path },
    <div class="stack stack-wide">
      <div class="stack stack-tight">
        <h1>My connections</h1>
        <p class="muted">Your own accounts and keys at servers, which your applications use but never see.</p>
      </div>
      {said === undefined ? null : (
        <Notice tone="good">
          <p>{said}</p>
        </Notice>
      )}
      {isSealed ? <Sealed /> : null}
      {targets.length === 0 ? (
        <EmptyState title="There is nothing to connect">
          <p>None of the servers that you may use needs an account of yours.</p>
        </EmptyState>
      ) : (
        targets.map((shown) => <TargetCard shown={shown} frame={frame} />)
      )}
      {orphans.length === 0 ? null : <Orphans orphans={orphans} now={frame.now} />}
    </div>,
  );
}

/** One query: what living grants name. */
async function grantedServers(c: PortalContext, { user }: WebSession): Promise<ReadonlySet<string> | undefined> {
  const { platform, tenant } = c.var.visit;
  if (platform.configuration.mode === "development") return undefined;
  const repository = grantsRepository(openDatabase(platform.bindings.DB), tenant.id);
  const living = await repository.ofUser(user.id, platform.ports.clock.now());
  return new Set(living.flatMap(({ servers }) => servers));
}

/** @param id of one of the person's own, as the address names it */
function usedNow(targets: PersonConnections["targets"], id: string | undefined): string | undefined {
  for (const { target, accounts } of targets) {
    const used = accounts.find(({ facts }) => facts.id === id && facts.is_default);
    if (used !== undefined)
      return `Calls to ${target.name} use “${accountName(used.facts.account, thingOf(target.kind))}” from now on.`;
  }
  return undefined;
}

function Sealed(): JSX.Element {
  return (
    <Notice tone="warning" title="Credentials are sealed">
      <p>
        An administrator of your organisation has sealed all stored credentials. Until that ends, none can be used and
        none can be connected.
      </p>
    </Notice>
  );
}

function TargetCard({ shown, frame }: { readonly shown: TargetAccounts; readonly frame: Frame }): JSX.Element {
  const { target, accounts } = shown;
  const thing = thingOf(target.kind);
  const used = target.usedBy.length === 0 ? undefined : `Used by ${target.usedBy.join(", ")}`;
  return (
    <Card label={target.name}>
      <div class="row spread">
        <div class="stack stack-tight">
          <h2>
            <bdi>{target.name}</bdi>
          </h2>
          <p class="muted small">{target.host ?? used ?? ""}</p>
        </div>
        {accounts.length === 0 ? <Badge>Not connected</Badge> : null}
      </div>
      <Ungranted shown={shown} frame={frame} />
      {accounts.map((account) => (
        <AccountPart account={account} thing={thing} shown={shown} frame={frame} />
      ))}
      {frame.isSealed ? null : (
        <div class="actions">
          {accounts.length === 0 ? (
            <ButtonLink look="primary" href={target.path}>
              Connect <span class="out">{target.name}</span>
            </ButtonLink>
          ) : (
            <ButtonLink href={`${target.path}?another=yes`}>
              {`Add another ${thing}`} <span class="out">{`at ${target.name}`}</span>
            </ButtonLink>
          )}
        </div>
      )}
    </Card>
  );
}

/** An account alone opens nothing: an application must be allowed to use the server. */
function Ungranted({ shown, frame }: { readonly shown: TargetAccounts; readonly frame: Frame }): Child {
  const { server } = shown.target;
  const { granted } = frame;
  if (shown.accounts.length === 0 || server === undefined || granted === undefined || granted.has(server.id))
    return null;
  return (
    <Notice tone="info">
      <p>
        None of your applications may use this server yet. Add it to one under <a href="/me">My access</a>, or choose it
        when you connect an application.
      </p>
    </Notice>
  );
}

function AccountPart(props: {
  readonly account: Account;
  readonly thing: Thing;
  readonly shown: TargetAccounts;
  readonly frame: Frame;
}): JSX.Element {
  const { account, thing, shown, frame } = props;
  const { facts, state } = account;
  const { target, accounts } = shown;
  const name = accountName(facts.account, thing);
  const issuer = URL.parse(facts.issuer)?.host;
  const again = `${target.path}?${new URLSearchParams({ account: facts.account })}`;
  return (
    <div class="account stack">
      <div class="row">
        <h3>
          <bdi>{name}</bdi>
        </h3>
        {stateBadge(state)}
        {accounts.length > 1 && facts.is_default ? <Badge>Default: calls use this one</Badge> : null}
      </div>
      <Facts
        rows={[
          ...(issuer === undefined ? [] : [["At", issuer] as const]),
          ["Since", <Moment at={facts.created_at} now={frame.now} />],
          ...(facts.scope === null || facts.scope === ""
            ? []
            : [["Permissions", <bdi class="code">{permissionWords(facts.scope.split(" "))}</bdi>] as const]),
        ]}
      />
      <div class="actions">
        {facts.is_default || frame.isSealed ? null : (
          <Form action={`${path}/${facts.id}/default`} formToken={frame.formToken}>
            <Button label={`Use by default: ${name} at ${target.name}`}>Use by default</Button>
          </Form>
        )}
        {frame.isSealed ? null : (
          <ButtonLink href={again} look={state === "linked" ? "plain" : "primary"}>
            Connect again <span class="out">{`${name} at ${target.name}`}</span>
          </ButtonLink>
        )}
        <DisconnectLink id={facts.id} what={`${name} at ${target.name}`} />
      </div>
    </div>
  );
}

/** Asked once more: what is disconnected must be connected anew, with the provider's consent. */
export async function showDisconnect(c: PortalContext): Promise<Response> {
  const session = await signedIn(c);
  if (!session.ok) return session.error;
  const { visit } = c.var;
  const facts = await ownConnection(visit, personOf(session.value), c.req.param("id") ?? "");
  if (facts === undefined) return showNotFound(c);
  const visitor = await visitorOf(visit, session.value);
  const name = (await targetName(visit, facts.target)) ?? "what was removed";
  // What has no issuer was pasted.
  const thing = facts.issuer === "" ? "key" : "account";
  const rows: (readonly [string, Child])[] = [
    [thing === "key" ? "Key" : "Account", <bdi>{accountName(facts.account, thing)}</bdi>],
    ["Since", <Moment at={facts.created_at} now={visit.platform.ports.clock.now()} />],
  ];
  return show(
    c,
    { title: `Disconnect ${name}`, kind: "forms", width: "narrow", visitor, path },
    <Card>
      <h1>
        Disconnect <bdi>{name}</bdi>?
      </h1>
      <p>
        {`Your applications cannot use this ${thing} any more, from now on. Gatehouse forgets it`}
        {thing === "key" ? "." : ", and asks the provider to end the access where it can."}
      </p>
      <Facts rows={rows} />
      <Form action={`${path}/${facts.id}/disconnect`} formToken={visitor.formToken}>
        <div class="actions actions-even">
          <ButtonLink href={path}>Cancel</ButtonLink>
          <Button look="danger">Disconnect</Button>
        </div>
      </Form>
    </Card>,
  );
}

export async function disconnect(c: PortalContext): Promise<Response> {
  const submitted = await readSubmission(c);
  if (!submitted.ok) return submitted.error;
  const ended = await unlink(c.var.visit, personOf(submitted.value.session), c.req.param("id") ?? "");
  return ended ? seeOther(`${path}?done=disconnected`) : showNotFound(c);
}

export async function useByDefault(c: PortalContext): Promise<Response> {
  const submitted = await readSubmission(c);
  if (!submitted.ok) return submitted.error;
  const id = c.req.param("id") ?? "";
  const changed = await makeDefault(c.var.visit, personOf(submitted.value.session), id);
  return changed ? seeOther(`${path}?${new URLSearchParams({ uses: id })}`) : showNotFound(c);
}
