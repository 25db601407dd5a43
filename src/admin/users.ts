/** `/users`: people who signed in. They are made by their first sign-in; here they are looked up, disabled and enabled. */
import * as z from "zod";
import { endings } from "../connections/index.ts";
import { openDatabase } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { displayName, roles, setUserEnabled, usersRepository, type User } from "../login/index.ts";
import { err, ok, type Result } from "../ports.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { idSchema, timeSchema } from "./fields.ts";
import { listPage, pageOf, pageQuery } from "./page.ts";
import { checkIfMatch, etagOf } from "./precondition.ts";
import { route, type Call, type Done, type Route } from "./route.ts";
import { userRows } from "./user-rows.ts";

const listQuery = pageQuery.extend({
  email: z.string().min(1).max(limits.email_chars).optional().describe("Exactly this address, in any case"),
});

const updateBody = z.strictObject({
  enabled: z.boolean().describe("false ends the person's sessions, tokens and connections at once"),
});

const userAnswer = z
  .object({
    id: idSchema,
    display_name: z.string(),
    name: z.string().nullable(),
    email: z.string().nullable(),
    email_verified: z.boolean(),
    role: z.enum(roles),
    groups: z.array(z.string()).describe("Those of the provider's groups that rules of the tenant name"),
    enabled: z.boolean(),
    provider_id: idSchema,
    issuer: z.string(),
    subject: z.string(),
    created_at: timeSchema,
    last_sign_in_at: timeSchema,
    updated_at: timeSchema,
  })
  .meta({ id: "User" });

const repositoryOf = (admin: AdminDependencies) => usersRepository(openDatabase(admin.database), admin.tenant);

const notFound = failure("not_found", "There is no user with this id");

async function list({ admin, query }: Call<z.output<typeof listQuery>, unknown>): Promise<Result<Done, Failure>> {
  const { email } = query;
  const repository = repositoryOf(admin);
  const fetch = email === undefined ? repository.page : pageByEmail(admin, email);
  const page = await listPage(query, idSchema, fetch, ({ id }) => id, userView);
  return page.ok ? ok({ status: 200, body: page.value }) : page;
}

function pageByEmail(admin: AdminDependencies, email: string) {
  return async (after: string | undefined, count: number): Promise<User[]> => {
    const ids = await userRows(openDatabase(admin.database), admin.tenant).idsByEmail(email, after, count);
    const found = await Promise.all(ids.map((id) => repositoryOf(admin).get(id)));
    return found.filter((user) => user !== undefined);
  };
}

async function read(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const user = await repositoryOf(call.admin).get(call.id("id"));
  return user === undefined ? err(notFound) : ok(shown(user));
}

async function update(call: Call<unknown, z.output<typeof updateBody>>): Promise<Result<Done, Failure>> {
  const { admin, body, ifMatch } = call;
  const user = await repositoryOf(admin).get(call.id("id"));
  if (user === undefined) return err(notFound);
  const matched = checkIfMatch(ifMatch, user.updated_at);
  if (!matched.ok) return matched;
  if (!body.enabled && admin.principal?.user?.id === user.id) {
    return err(
      failure("conflict", "You cannot disable yourself: ask another administrator", { reason: "own_account" }),
    );
  }
  const { visit } = admin;
  const updated = await setUserEnabled(visit, user.id, body.enabled);
  // What this person had connected ends at its providers as well; the timer has what does not end now.
  if (!body.enabled) visit.platform.waitUntil(endings(visit, visit.tenant.id));
  return updated === undefined ? err(notFound) : ok({ ...shown(updated), fields: [...call.given] });
}

function userView(user: User): Readonly<Record<string, unknown>> {
  return {
    id: user.id,
    display_name: displayName(user),
    name: user.name,
    email: user.email,
    email_verified: user.email_verified,
    role: user.role,
    groups: user.groups,
    enabled: user.enabled,
    provider_id: user.provider_id,
    issuer: user.issuer,
    subject: user.subject,
    created_at: user.created_at,
    last_sign_in_at: user.last_sign_in_at,
    updated_at: user.updated_at,
  };
}

function shown(user: User): Done {
  return { status: 200, body: userView(user), etag: etagOf(user.updated_at), resourceId: user.id };
}

export const userRoutes: readonly Route[] = [
  route("GET", "/users", "user.list", {
    has: { summary: "List the people who signed in", status: 200, answer: pageOf(userAnswer) },
    query: listQuery,
    run: list,
  }),
  route("GET", "/users/:id", "user.read", {
    has: { summary: "Read a person", status: 200, answer: userAnswer },
    run: read,
  }),
  route("PATCH", "/users/:id", "user.update", {
    has: {
      summary: "Disable or enable a person",
      description: "Role and groups come from the identity provider, at each sign-in.",
      status: 200,
      answer: userAnswer,
    },
    body: updateBody,
    run: update,
  }),
];
