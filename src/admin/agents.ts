/** `/agents`: the inventory of AI clients, blocked ones included. */
import * as z from "zod";
import { openDatabase } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { agentsRepository, revokeGrants, type Agent, type AgentUse } from "../oauth/index.ts";
import { err, ok, type Result } from "../ports.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { idSchema, timeSchema } from "./fields.ts";
import { cursorSchema, decodeText, encodeText, listPage, pageOf, pageQuery } from "./page.ts";
import { route, type Call, type Done, type Route } from "./route.ts";
import { userRows, type NamedUser } from "./user-rows.ts";

/** Ids of agents are client ids, which may be URLs: in paths they stand as base64url. */
const params = {
  id: z.string().transform((text, context): string => {
    const id = decodeText(text);
    if (id !== undefined && id.length > 0 && id.length <= limits.upstreamUrl_chars) return id;
    context.addIssue("must be the key of an agent");
    return z.NEVER;
  }),
};

const listQuery = pageQuery.extend({ cursor: cursorSchema(limits.cursor_chars).optional() });

const updateBody = z.strictObject({
  disabled: z.boolean().describe("true: it gets no token, and what it has is void at once"),
});

const agentAnswer = z
  .object({
    key: z.string().describe("Stands for the id in paths"),
    id: z.string().describe("Client id: a UUID, or the URL of a metadata document"),
    kind: z.enum(["registered", "document", "dynamic", "unknown"]),
    name: z.string().describe("As the client calls itself, unless it is registered"),
    owner: z
      .object({ id: idSchema, name: z.string().nullable(), email: z.string().nullable() })
      .nullable()
      .describe("Who first allowed it something"),
    first_seen_at: timeSchema,
    last_seen_at: timeSchema,
    blocked_at: timeSchema.nullable().describe("When it was last turned away"),
    blocked_reason: z.string().nullable(),
    disabled_at: timeSchema.nullable(),
  })
  .meta({ id: "Agent" });

const useAnswer = z
  .object({
    server: z.string(),
    name: z.string().describe("Method and name, such as `tools/call create_issue`"),
    calls: z.int(),
    denied: z.int(),
    last_at: timeSchema,
  })
  .meta({ id: "AgentUse" });

const detailedAnswer = agentAnswer.extend({ uses: z.array(useAnswer).describe("The last first") });

const repositoryOf = (admin: AdminDependencies) => agentsRepository(openDatabase(admin.database), admin.tenant);

const notFound = failure("not_found", "There is no agent with this key");
const registered = failure("conflict", "This client is registered: change `enabled` of the client itself", {
  reason: "agent_registered",
});

/** The key of the list: when it was seen, then its id. */
const positionSchema = z.string().regex(/^\d{1,16} ./s);

const positionOf = ({ last_seen_at, id }: Pick<Agent, "last_seen_at" | "id">): string => `${last_seen_at} ${id}`;

function parsePosition(key: string): { last_seen_at: number; id: string } {
  const at = key.indexOf(" ");
  return { last_seen_at: Number(key.slice(0, at)), id: key.slice(at + 1) };
}

async function list({ admin, query }: Call<z.output<typeof listQuery>, unknown>): Promise<Result<Done, Failure>> {
  const fetch = async (after: string | undefined, count: number) =>
    withOwners(admin, await repositoryOf(admin).page(after === undefined ? undefined : parsePosition(after), count));
  const page = await listPage(query, positionSchema, fetch, ({ agent }) => positionOf(agent), agentView);
  return page.ok ? ok({ status: 200, body: page.value }) : page;
}

async function read(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const agent = await repositoryOf(call.admin).get(call.id("id"));
  return agent === undefined ? err(notFound) : ok(await detailed(call.admin, agent));
}

async function update(call: Call<unknown, z.output<typeof updateBody>>): Promise<Result<Done, Failure>> {
  const { admin, body, now } = call;
  const id = call.id("id");
  const repository = repositoryOf(admin);
  const changed = await repository.setDisabled(id, body.disabled, now);
  if (changed === "registered") return err(registered);
  const agent = changed === "absent" ? undefined : await repository.get(id);
  if (agent === undefined) return err(notFound);
  if (body.disabled) await revokeGrants(admin.visit, { client_id: id }, "client_disabled");
  return ok({ ...(await detailed(admin, agent)), fields: [...call.given] });
}

interface Row {
  readonly agent: Agent;
  readonly owner: NamedUser | null;
}

async function withOwners(admin: AdminDependencies, agents: readonly Agent[]): Promise<Row[]> {
  const named = await userRows(openDatabase(admin.database), admin.tenant).named(
    agents.map(({ owner_id }) => owner_id),
  );
  return agents.map((agent) => {
    const { owner_id } = agent;
    const owner = owner_id === null ? null : (named.get(owner_id) ?? { id: owner_id, name: null, email: null });
    return { agent, owner };
  });
}

function agentView({ agent, owner }: Row): Readonly<Record<string, unknown>> {
  const { owner_id: _owner, ...shown } = agent;
  return { ...shown, key: encodeText(agent.id), owner };
}

async function detailed(admin: AdminDependencies, agent: Agent): Promise<Done> {
  const uses: readonly AgentUse[] = await repositoryOf(admin).uses(agent.id);
  const [row = { agent, owner: null }] = await withOwners(admin, [agent]);
  return { status: 200, body: { ...agentView(row), uses }, resourceId: agent.id };
}

export const agentRoutes: readonly Route[] = [
  route("GET", "/agents", "agent.list", {
    has: { summary: "List the AI clients, the one that was seen last first", status: 200, answer: pageOf(agentAnswer) },
    query: listQuery,
    run: list,
  }),
  route("GET", "/agents/:id", "agent.read", {
    has: { summary: "Read an AI client and what it used", status: 200, answer: detailedAnswer },
    params,
    run: read,
  }),
  route("PATCH", "/agents/:id", "agent.update", {
    has: {
      summary: "Switch an AI client off or on",
      description:
        "Off: its grants are revoked and it gets no token. Registered clients are switched under `/clients`.",
      status: 200,
      answer: detailedAnswer,
    },
    params,
    body: updateBody,
    run: update,
  }),
];
