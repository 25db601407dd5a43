/** `/connections`: accounts at other systems that people connected, and tokens that Gatehouse got by itself. Never a credential. */
import * as z from "zod";
import { connectionStates, endings, stateOf } from "../connections/index.ts";
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import type { Server } from "../registry/index.ts";
import { connectionStore, type ConnectionFacts } from "../vault/index.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { idSchema, timeSchema } from "./fields.ts";
import { listPage, pageOf, pageQuery } from "./page.ts";
import { route, type Call, type Done, type Route } from "./route.ts";

const connectionAnswer = z
  .object({
    id: idSchema,
    user_id: z.string().nullable().describe("Null: the organisation's own"),
    target: z.string().describe("Id of a server, `credential:{id}`, or `idp` for the tokens of a sign-in"),
    server: z.string().nullable().describe("Slug of the server; null when it is gone, and where the target is none"),
    account: z.string(),
    is_default: z.boolean().describe("Of several accounts at one target, calls use this one"),
    state: z.enum(connectionStates),
    reason: z
      .string()
      .nullable()
      .describe("Why it has to be connected again, or what is wrong with it although calls use it"),
    issuer: z.string().nullable().describe("Null for a key that somebody pasted"),
    scope: z.string().nullable().describe("As granted; null when the issuer did not say"),
    created_at: timeSchema,
    updated_at: timeSchema,
  })
  .meta({ id: "Connection" });

const notFound = failure("not_found", "There is no connection with this id");

async function list({ admin, query }: Call<z.output<typeof pageQuery>, unknown>): Promise<Result<Done, Failure>> {
  const view = viewOf(admin);
  const page = await listPage(query, idSchema, connectionStore(admin.visit).page, ({ id }) => id, view);
  return page.ok ? ok({ status: 200, body: page.value }) : page;
}

async function read({ admin, id }: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const facts = await connectionStore(admin.visit).byId(id("id"));
  return facts === undefined ? err(notFound) : ok({ status: 200, body: viewOf(admin)(facts) });
}

/** It is used no more from now on. Its provider is told behind the answer. */
async function remove({ admin, id }: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const { visit } = admin;
  if (!(await connectionStore(visit).end(id("id"), "administrator"))) return err(notFound);
  visit.platform.waitUntil(endings(visit, visit.tenant.id));
  return ok({ status: 204, resourceId: id("id") });
}

function viewOf({ visit }: AdminDependencies): (facts: ConnectionFacts) => Readonly<Record<string, unknown>> {
  const servers = new Map<string, Server>([...visit.snapshot.servers.values()].map((server) => [server.id, server]));
  return (facts) => {
    const { id, user_id, target, account, is_default, reason, issuer, scope, created_at, updated_at } = facts;
    const server = servers.get(target);
    return {
      ...{ id, target, account, is_default, reason, scope, created_at, updated_at },
      user_id: user_id === "" ? null : user_id,
      server: server?.slug ?? null,
      state: stateOf(facts, server),
      issuer: issuer === "" ? null : issuer,
    };
  };
}

export const connectionRoutes: readonly Route[] = [
  route("GET", "/connections", "connection.list", {
    has: { summary: "List the connections, in the order of ids", status: 200, answer: pageOf(connectionAnswer) },
    query: pageQuery,
    run: list,
  }),
  route("GET", "/connections/:id", "connection.read", {
    has: { summary: "Read a connection", status: 200, answer: connectionAnswer },
    run: read,
  }),
  route("DELETE", "/connections/:id", "connection.delete", {
    has: {
      summary: "End a connection",
      description:
        "It is used no more from now on. Its tokens are revoked at the provider that issued them, then it is destroyed.",
      status: 204,
    },
    run: remove,
  }),
];
