/** `/grants`: what people allowed AI clients to do, ended grants included. */
import * as z from "zod";
import { openDatabase } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { grantsRepository, revokeGrants, type StoredGrant } from "../oauth/index.ts";
import { err, ok, type Result } from "../ports.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { idSchema, timeSchema } from "./fields.ts";
import { listPage, pageOf, pageQuery } from "./page.ts";
import { route, type Call, type Done, type Route } from "./route.ts";
import { userRows, type NamedUser } from "./user-rows.ts";

const listQuery = pageQuery.extend({
  user_id: idSchema.optional(),
  client_id: z.string().min(1).max(limits.upstreamUrl_chars).optional(),
  living: z.literal("true").optional().describe("Only those that can still be used"),
});

const personAnswer = z
  .object({ id: idSchema, name: z.string().nullable(), email: z.string().nullable() })
  .meta({ id: "Person" });

const grantAnswer = z
  .object({
    id: idSchema,
    user: personAnswer,
    client_id: z.string(),
    client_name: z.string(),
    redirect_uri: z.string(),
    resource: z.string().describe("URL of the MCP endpoint that it is for"),
    scope: z.string(),
    servers: z.array(idSchema).describe("Those that the person chose"),
    source: z.object({ country: z.string().optional(), network: z.string().optional() }).describe("At consent"),
    living: z.boolean().describe("Neither revoked nor expired"),
    created_at: timeSchema,
    redeemed_at: timeSchema.nullable(),
    last_used_at: timeSchema.nullable(),
    expires_at: timeSchema,
    revoked_at: timeSchema.nullable(),
    revoked_reason: z.string().nullable(),
  })
  .meta({ id: "Grant" });

const repositoryOf = (admin: AdminDependencies) => grantsRepository(openDatabase(admin.database), admin.tenant);

const notFound = failure("not_found", "There is no grant with this id");

async function list(call: Call<z.output<typeof listQuery>, unknown>): Promise<Result<Done, Failure>> {
  const { admin, query, now } = call;
  const filter = {
    user_id: query.user_id,
    client_id: query.client_id,
    living_at: query.living === undefined ? undefined : now,
  };
  const fetch = async (after: string | undefined, count: number) =>
    withUsers(admin, await repositoryOf(admin).page(after, count, filter));
  const page = await listPage(
    query,
    idSchema,
    fetch,
    ({ grant }) => grant.id,
    (row) => grantView(row, now),
  );
  return page.ok ? ok({ status: 200, body: page.value }) : page;
}

async function read(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const grant = await repositoryOf(call.admin).get(call.id("id"));
  const [row] = grant === undefined ? [] : await withUsers(call.admin, [grant]);
  return row === undefined ? err(notFound) : ok({ status: 200, body: grantView(row, call.now) });
}

async function revoke(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const grant = await repositoryOf(call.admin).get(call.id("id"));
  if (grant === undefined) return err(notFound);
  await revokeGrants(call.admin.visit, { id: grant.id }, "administrator");
  return ok({ status: 204, resourceId: grant.id });
}

interface Row {
  readonly grant: StoredGrant;
  readonly user: NamedUser;
}

async function withUsers(admin: AdminDependencies, grants: readonly StoredGrant[]): Promise<Row[]> {
  const named = await userRows(openDatabase(admin.database), admin.tenant).named(grants.map(({ user_id }) => user_id));
  return grants.map((grant) => ({
    grant,
    user: named.get(grant.user_id) ?? { id: grant.user_id, name: null, email: null },
  }));
}

function grantView({ grant, user }: Row, now: number): Readonly<Record<string, unknown>> {
  const { user_id: _user, ...shown } = grant;
  return { ...shown, user, living: grant.revoked_at === null && grant.expires_at > now };
}

export const grantRoutes: readonly Route[] = [
  route("GET", "/grants", "grant.list", {
    has: { summary: "List what people allowed AI clients, the newest first", status: 200, answer: pageOf(grantAnswer) },
    query: listQuery,
    run: list,
  }),
  route("GET", "/grants/:id", "grant.read", {
    has: { summary: "Read a grant", status: 200, answer: grantAnswer },
    run: read,
  }),
  route("DELETE", "/grants/:id", "grant.revoke", {
    has: { summary: "Revoke a grant and its tokens", status: 204 },
    run: revoke,
  }),
];
