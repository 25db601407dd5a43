/** `/admin/agents/{id}`: one AI client, what it used and what it may use. */
import type { Child } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import { serverNames } from "../me/server-names.ts";
import type { PortalContext } from "../context.ts";
import { Button, ButtonLink, Card, Facts, Form, Moment, Table } from "../design/index.ts";
import { showNotFound } from "../errors/refusals.ts";
import { staffSignedIn } from "../guard.ts";
import { seeOther, show } from "../show.tsx";
import { visitorOf } from "../visitor.ts";
import { AgentStatus, kindWords, OwnerName } from "./agents.tsx";
import { agentAnswer, grantsAnswer, type Agent, type AgentGrant } from "./answers.ts";
import { ask, change, isFresh, readAdministratorForm, showStale } from "./ask.ts";

/** @returns what stands in the path for an agent: its client id in base64url */
function agentKey(c: PortalContext): string | undefined {
  const id = c.req.param("id") ?? "";
  return /^[A-Za-z0-9_-]{1,4096}$/.test(id) ? id : undefined;
}

export async function showAgent(c: PortalContext): Promise<Response> {
  const session = await staffSignedIn(c);
  if (!session.ok) return session.error;
  const key = agentKey(c);
  if (key === undefined) return showNotFound(c);
  const agent = await ask(c, session.value, `/agents/${key}`, agentAnswer);
  if (!agent.ok) return agent.error;
  const cursor = c.req.query("cursor");
  const query = new URLSearchParams({ client_id: agent.value.id, ...(cursor === undefined ? {} : { cursor }) });
  const grants = await ask(c, session.value, `/grants?${query}`, grantsAnswer);
  if (!grants.ok) return grants.error;
  const { visit } = c.var;
  const visitor = await visitorOf(visit, session.value);
  const now = visit.platform.ports.clock.now();
  const mayChange = session.value.user.role === "administrator";
  const { uses } = agent.value;
  return show(
    c,
    { title: agent.value.name, kind: "forms", visitor, path: "/admin/agents" },
    <div class="stack stack-wide">
      <div class="row spread">
        <h1>
          <bdi>{agent.value.name === "" ? "(no name)" : agent.value.name}</bdi>
        </h1>
        {mayChange && agent.value.kind !== "registered" ? (
          <Switch agent={agent.value} formToken={visitor.formToken} />
        ) : null}
      </div>
      <AgentFacts agent={agent.value} now={now} />
      {agent.value.kind === "registered" ? (
        <p class="muted">This one is registered: it is switched off where clients are managed.</p>
      ) : null}
      <h2>What it used</h2>
      {uses.length === 0 ? (
        <p class="muted">Nothing yet.</p>
      ) : (
        <Table
          caption="What it used"
          columns={["Server", "Method and name", "Calls", "Denied", "Last"]}
          rows={uses.map((use) => [
            use.server,
            <span class="code">{use.name}</span>,
            use.calls,
            use.denied,
            <Moment at={use.last_at} now={now} />,
          ])}
        />
      )}
      <h2>Grants</h2>
      {grants.value.items.length === 0 ? (
        <p class="muted">Nobody has allowed it anything.</p>
      ) : (
        <Table
          caption="Grants"
          columns={["Person", "Servers", "Allowed", "Last used", mayChange ? "Change" : "State"]}
          rows={grants.value.items.map((grant) =>
            grantRow(grant, {
              servers: serverNames(visit.snapshot, grant.servers).join(", "),
              ...{ now, mayChange, agent: key, formToken: visitor.formToken },
            }),
          )}
        />
      )}
      <p class="actions">
        {grants.value.next === null ? null : (
          <ButtonLink href={`/admin/agents/${key}?${new URLSearchParams({ cursor: grants.value.next })}`}>
            Show older grants
          </ButtonLink>
        )}
        <ButtonLink href="/admin/agents">All agents</ButtonLink>
      </p>
    </div>,
  );
}

function AgentFacts({ agent, now }: { readonly agent: Agent; readonly now: number }): JSX.Element {
  return (
    <Card label="About this agent">
      <Facts
        rows={[
          ["Status", <AgentStatus agent={agent} />],
          ["Kind", kindWords[agent.kind]],
          ["Client id", <span class="code">{agent.id}</span>],
          ["Owner", <OwnerName agent={agent} />],
          ["First seen", <Moment at={agent.first_seen_at} now={now} />],
          ["Last seen", <Moment at={agent.last_seen_at} now={now} />],
          ["Last turned away", <Moment at={agent.blocked_at} now={now} />],
        ]}
      />
    </Card>
  );
}

function Switch({ agent, formToken }: { readonly agent: Agent; readonly formToken: string }): JSX.Element {
  const verb = agent.disabled_at !== null ? "enable" : "disable";
  return (
    <Form action={`/admin/agents/${agent.key}/${verb}`} formToken={formToken}>
      <Button look={agent.disabled_at !== null ? "primary" : "danger"}>
        {agent.disabled_at !== null ? "Enable" : "Disable"}
      </Button>
    </Form>
  );
}

interface RowContext {
  readonly servers: string;
  readonly now: number;
  readonly mayChange: boolean;
  readonly agent: string;
  readonly formToken: string;
}

function grantRow(grant: AgentGrant, row: RowContext): readonly Child[] {
  const person = grant.user.name ?? grant.user.email ?? grant.user.id;
  const { living } = grant;
  return [
    <bdi>{person}</bdi>,
    row.servers === "" ? "none" : row.servers,
    <Moment at={grant.created_at} now={row.now} />,
    <Moment at={grant.last_used_at} now={row.now} />,
    living && row.mayChange ? (
      <Form action={`/admin/agents/${row.agent}/grants/${grant.id}/revoke`} formToken={row.formToken}>
        <Button look="danger" label={`Revoke the grant of ${person}`}>
          Revoke
        </Button>
      </Form>
    ) : living ? (
      "active"
    ) : (
      "ended"
    ),
  ];
}

export async function disableAgent(c: PortalContext): Promise<Response> {
  return switchAgent(c, true);
}

export async function enableAgent(c: PortalContext): Promise<Response> {
  return switchAgent(c, false);
}

async function switchAgent(c: PortalContext, disabled: boolean): Promise<Response> {
  const submitted = await readAdministratorForm(c);
  if (!submitted.ok) return submitted.error;
  const key = agentKey(c);
  if (key === undefined) return showNotFound(c);
  const { session } = submitted.value;
  // Taking access away never waits for a sign-in; giving it back does.
  if (!disabled && !isFresh(c, session)) return showStale(c, `/admin/agents/${key}`);
  return afterChange(c, key, await change(c, session, "PATCH", `/agents/${key}`, { disabled }));
}

export async function revokeAgentGrant(c: PortalContext): Promise<Response> {
  const submitted = await readAdministratorForm(c);
  if (!submitted.ok) return submitted.error;
  const key = agentKey(c);
  const grant = c.req.param("grant") ?? "";
  if (key === undefined || !/^[0-9a-f-]{36}$/.test(grant)) return showNotFound(c);
  return afterChange(c, key, await change(c, submitted.value.session, "DELETE", `/grants/${grant}`));
}

function afterChange(
  c: PortalContext,
  key: string,
  changed: Awaited<ReturnType<typeof change>>,
): Response | Promise<Response> {
  if (changed.ok) return seeOther(`/admin/agents/${key}`);
  return changed.error instanceof Response ? changed.error : showNotFound(c);
}
