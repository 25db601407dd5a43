/** `/admin/agents`: every AI client that was ever seen, blocked ones included. */
import type { Child } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import type { PortalContext } from "../context.ts";
import { Badge, ButtonLink, EmptyState, Moment, Table } from "../design/index.ts";
import { staffSignedIn } from "../guard.ts";
import { show } from "../show.tsx";
import { visitorOf } from "../visitor.ts";
import { agentsAnswer, type Agent } from "./answers.ts";
import { ask } from "./ask.ts";

export async function showAgents(c: PortalContext): Promise<Response> {
  const session = await staffSignedIn(c);
  if (!session.ok) return session.error;
  const cursor = c.req.query("cursor");
  const query = cursor === undefined ? "" : `?${new URLSearchParams({ cursor })}`;
  const answer = await ask(c, session.value, `/agents${query}`, agentsAnswer);
  if (!answer.ok) return answer.error;
  const { items, next } = answer.value;
  const { visit } = c.var;
  const now = visit.platform.ports.clock.now();
  return show(
    c,
    { title: "Agents", kind: "forms", visitor: await visitorOf(visit, session.value), path: "/admin/agents" },
    <div class="stack stack-wide">
      <div class="stack stack-tight">
        <h1>Agents</h1>
        <p class="muted">Every application that asked for access, whether it got any or not.</p>
      </div>
      {items.length === 0 ? (
        <EmptyState title="No agent was seen yet">
          <p>An application is listed here as soon as it tries to connect.</p>
        </EmptyState>
      ) : (
        <Table
          caption="Agents"
          columns={["Agent", "Kind", "Owner", "First seen", "Last seen", "Status"]}
          rows={items.map((agent) => rowOf(agent, now))}
        />
      )}
      {next === null ? null : (
        <p class="actions">
          <ButtonLink href={`/admin/agents?${new URLSearchParams({ cursor: next })}`}>Show older ones</ButtonLink>
        </p>
      )}
    </div>,
  );
}

function rowOf(agent: Agent, now: number): readonly Child[] {
  return [
    <a href={`/admin/agents/${agent.key}`}>
      <bdi>{agent.name === "" ? "(no name)" : agent.name}</bdi>
    </a>,
    kindWords[agent.kind],
    <OwnerName agent={agent} />,
    <Moment at={agent.first_seen_at} now={now} />,
    <Moment at={agent.last_seen_at} now={now} />,
    <AgentStatus agent={agent} />,
  ];
}

export const kindWords: Readonly<Record<Agent["kind"], string>> = {
  registered: "Registered by an administrator",
  document: "Described by its own site",
  dynamic: "Registered itself",
  unknown: "Unknown",
};

export function OwnerName({ agent }: { readonly agent: Agent }): JSX.Element {
  const { owner } = agent;
  if (owner === null) return <span class="muted">nobody</span>;
  return <bdi>{owner.name ?? owner.email ?? owner.id}</bdi>;
}

/** Turned away means: the last time it came, it was turned away. */
export function AgentStatus({ agent }: { readonly agent: Agent }): JSX.Element {
  if (agent.disabled_at !== null) return <Badge tone="danger">Switched off</Badge>;
  if (agent.blocked_at === null || agent.blocked_at < agent.last_seen_at) return <Badge tone="good">Active</Badge>;
  return (
    <span class="stack stack-tight">
      <span>
        <Badge tone="warning">Turned away</Badge>
      </span>
      <span class="small">{(agent.blocked_reason ?? "").replaceAll("_", " ")}</span>
    </span>
  );
}
