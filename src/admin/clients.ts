/** `/clients`: registered clients, the servers that exist for each, and how it may get tokens of OAuth. */
import * as z from "zod";
import { clientsRepository, tokensRepository, type StoredClient } from "../admission/index.ts";
import { openDatabase } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { revokeGrants } from "../oauth/index.ts";
import { err, ok, type Result } from "../ports.ts";
import { serversRepository } from "../registry/index.ts";
import { checkOAuth, mayHoldGrants, oauthField, voidsTokens } from "./client-oauth.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { descriptionSchema, idSchema, nameSchema, timeSchema } from "./fields.ts";
import { listPage, pageOf, pageQuery, type PageQuery } from "./page.ts";
import { checkIfMatch, etagOf, lostRace } from "./precondition.ts";
import { route, type Call, type Done, type Route } from "./route.ts";
import { tokenAnswer, tokenView } from "./token-fields.ts";
import { invalidFields } from "./validation.ts";

const allowListSchema = z
  .array(z.string().min(1).max(64))
  .max(limits.serversPerTenant_count)
  .describe("Ids or slugs of servers: what is not listed does not exist for this client");

const createBody = z.strictObject({
  name: nameSchema,
  description: descriptionSchema.default(""),
  servers: allowListSchema.default([]),
  enabled: z.boolean().default(true),
  oauth: oauthField.nullable().default(null),
});

const updateBody = z.strictObject({
  name: nameSchema.optional(),
  description: descriptionSchema.optional(),
  servers: allowListSchema.optional(),
  enabled: z.boolean().optional(),
  oauth: oauthField
    .nullable()
    .optional()
    .describe("Replaces the registration as a whole and voids its access tokens; null takes it away"),
});

const clientAnswer = z
  .object({
    id: idSchema,
    name: z.string(),
    description: z.string(),
    enabled: z.boolean(),
    servers: z.array(idSchema).describe("Ids of the servers on the allow-list"),
    oauth: oauthField.nullable(),
    created_at: timeSchema,
    updated_at: timeSchema,
  })
  .meta({ id: "Client" });

const detailedAnswer = clientAnswer.extend({ tokens: z.array(tokenAnswer) });

const repositoryOf = (admin: AdminDependencies) => clientsRepository(openDatabase(admin.database), admin.tenant);

const notFound = failure("not_found", "There is no client with this id");

/** The tokens of one client that a detailed answer shows; the others are under `/clients/{id}/tokens`. */
const detailedTokens_count = limits.page_count_max;

async function list({ admin, query }: Call<PageQuery, unknown>): Promise<Result<Done, Failure>> {
  const page = await listPage(query, idSchema, repositoryOf(admin).page, ({ id }) => id, clientView);
  return page.ok ? ok({ status: 200, body: page.value }) : page;
}

async function read(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const { admin, now } = call;
  const client = await repositoryOf(admin).get(call.id("id"));
  if (client === undefined) return err(notFound);
  const owner = { kind: "client", client_id: client.id } as const;
  const tokens = await tokensRepository(openDatabase(admin.database), admin.tenant, owner).page(
    undefined,
    detailedTokens_count,
  );
  const done = shown(client, 200);
  return ok({ ...done, body: { ...clientView(client), tokens: tokens.map((token) => tokenView(token, now)) } });
}

async function create(call: Call<unknown, z.output<typeof createBody>>): Promise<Result<Done, Failure>> {
  const { admin, body, now } = call;
  const servers = await resolveServers(admin, body.servers);
  if (!servers.ok) return servers;
  const oauth = body.oauth === null ? ok(null) : checkOAuth(admin, body.oauth);
  if (!oauth.ok) return oauth;
  const client: StoredClient = {
    ...body,
    id: admin.ports.random.uuid(),
    servers: servers.value,
    oauth: oauth.value,
    created_at: now,
    updated_at: now,
  };
  if ((await repositoryOf(admin).insert(client)) === "full") {
    const most = `A tenant may have ${limits.clientsPerTenant_count} clients`;
    return err(failure("too_many", most, { reason: "clients_limit" }));
  }
  const location = `${admin.origin}/api/v1/clients/${client.id}`;
  return ok({ ...shown(client, 201), location, fields: [...call.given] });
}

async function update(call: Call<unknown, z.output<typeof updateBody>>): Promise<Result<Done, Failure>> {
  const { admin, body, now, ifMatch } = call;
  const repository = repositoryOf(admin);
  const client = await repository.get(call.id("id"));
  if (client === undefined) return err(notFound);
  const matched = checkIfMatch(ifMatch, client.updated_at);
  if (!matched.ok) return matched;
  const servers = body.servers === undefined ? ok(client.servers) : await resolveServers(admin, body.servers);
  if (!servers.ok) return servers;
  // A registration that the rules have come to refuse must not stand in the way of disabling its client.
  const oauth = body.oauth === undefined || body.oauth === null ? ok(null) : checkOAuth(admin, body.oauth);
  if (!oauth.ok) return oauth;
  const changes = {
    name: body.name ?? client.name,
    description: body.description ?? client.description,
    enabled: body.enabled ?? client.enabled,
    servers: servers.value,
    oauth: body.oauth === undefined ? client.oauth : oauth.value,
  };
  // What nobody was asked about ends with the pre-approval: before it, so that a repetition ends what a failure left, and after it.
  const unasked = client.oauth?.pre_approved === true && changes.oauth?.pre_approved !== true;
  if (unasked) await revokeGrants(admin.visit, { client_id: client.id }, "consent_required");
  const updated = await repository.update(client.id, client.updated_at, changes, now, voidsTokens(client, changes));
  if (updated === undefined) return err(lostRace(ifMatch));
  // By what it is now and not by what changed: a repetition ends what a failure left.
  const decided = call.given.has("enabled") || call.given.has("oauth");
  const reason = mayHoldGrants(updated) ? "consent_required" : "client_disabled";
  if (unasked || (decided && !mayHoldGrants(updated))) {
    await revokeGrants(admin.visit, { client_id: client.id }, reason);
  }
  return ok({ ...shown(updated, 200), fields: [...call.given] });
}

async function remove(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const repository = repositoryOf(call.admin);
  const client = await repository.get(call.id("id"));
  if (client === undefined) return err(notFound);
  const matched = checkIfMatch(call.ifMatch, client.updated_at);
  if (!matched.ok) return matched;
  if (!(await repository.remove(client.id, client.updated_at, call.now))) return err(lostRace(call.ifMatch));
  await revokeGrants(call.admin.visit, { client_id: client.id }, "client_deleted");
  return ok({ status: 204, resourceId: client.id });
}

/** Ids or slugs to ids, each once. A name that fits nothing is refused: an allow-list with a typo would deny in silence. */
async function resolveServers(
  admin: AdminDependencies,
  wanted: readonly string[],
): Promise<Result<readonly string[], Failure>> {
  if (wanted.length === 0) return ok([]);
  const names = await serversRepository(openDatabase(admin.database), admin.tenant).names();
  // A slug has at most 32 characters and an id 36, so no slug can pose as an id.
  const ids = new Map(names.flatMap(({ id, slug }) => [[id, id] as const, [slug, id] as const]));
  const unknown = wanted.flatMap((name, index) =>
    ids.has(name) ? [] : [{ path: `servers.${index}`, message: "there is no server with this id or slug" }],
  );
  if (unknown.length > 0) return err(invalidFields(unknown));
  return ok([...new Set(wanted.flatMap((name) => ids.get(name) ?? []))]);
}

function clientView(client: StoredClient): Readonly<Record<string, unknown>> {
  return {
    id: client.id,
    name: client.name,
    description: client.description,
    enabled: client.enabled,
    servers: client.servers,
    oauth: client.oauth,
    created_at: client.created_at,
    updated_at: client.updated_at,
  };
}

function shown(client: StoredClient, status: 200 | 201): Done {
  return { status, body: clientView(client), etag: etagOf(client.updated_at), resourceId: client.id };
}

export const clientRoutes: readonly Route[] = [
  route("GET", "/clients", "client.list", {
    has: {
      summary: "List the registered clients, in the order of creation",
      status: 200,
      answer: pageOf(clientAnswer),
    },
    query: pageQuery,
    run: list,
  }),
  route("POST", "/clients", "client.create", {
    has: { summary: "Register a client", status: 201, answer: clientAnswer },
    body: createBody,
    run: create,
  }),
  route("GET", "/clients/:id", "client.read", {
    has: { summary: "Read a registered client and what its tokens show", status: 200, answer: detailedAnswer },
    run: read,
  }),
  route("PATCH", "/clients/:id", "client.update", {
    has: { summary: "Change a registered client", status: 200, answer: clientAnswer },
    body: updateBody,
    run: update,
  }),
  route("DELETE", "/clients/:id", "client.delete", {
    has: { summary: "Remove a registered client, its tokens, secrets and grants", status: 204 },
    run: remove,
  }),
];
