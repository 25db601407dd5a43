/** `/servers`: the upstream MCP servers of the tenant. */
import { openDatabase } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { addressOf, serversRepository, slugSchema, type ServerChanges, type StoredServer } from "../registry/index.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { listPage, pageOf, pageQuery, type PageQuery } from "./page.ts";
import { checkIfMatch, etagOf, lostRace } from "./precondition.ts";
import { route, type Call, type Done, type Route } from "./route.ts";
import { checkFit } from "./server-checks.ts";
import { checkConfirmed } from "./server-confirmation.ts";
import {
  createServerBody,
  serverAnswer,
  serverStatusAnswer,
  updateServerBody,
  type CreateServer,
  type UpdateServer,
} from "./server-fields.ts";
import { checkReferences } from "./server-references.ts";
import { firstSecrets, nextSecrets } from "./server-secrets.ts";
import { checkUrls } from "./server-urls.ts";
import { serverView } from "./server-view.ts";
import { warningsOfChange, warningsOfCreation } from "./server-warnings.ts";
import { isJudged, wishOfChange, wishOfCreation, type ServerWish } from "./server-wish.ts";

const repositoryOf = (admin: AdminDependencies) => serversRepository(openDatabase(admin.database), admin.tenant);

const notFound = failure("not_found", "There is no server with this id: ids are in GET /servers");

async function list({ admin, query }: Call<PageQuery, unknown>): Promise<Result<Done, Failure>> {
  const rows = new Map<string, StoredServer>();
  const page = await listPage(query, slugSchema, repositoryOf(admin).page, bySlug, (server) => {
    rows.set(server.slug, server);
    return { slug: server.slug };
  });
  if (!page.ok) return page;
  const items = await Promise.all([...rows.values()].map((server) => serverView(admin, server)));
  return ok({ status: 200, body: { ...page.value, items } });
}

const bySlug = (server: StoredServer): string => server.slug;

async function read(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const server = await repositoryOf(call.admin).get(call.id("id"));
  return server === undefined ? err(notFound) : ok(await shown(call.admin, server, 200));
}

/** Its health without asking it, so that looking costs nothing and cannot be used to make the gateway call. */
async function readStatus({ admin, id }: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const server = await repositoryOf(admin).get(id("id"));
  if (server === undefined) return err(notFound);
  const status = await admin.readServerStatus(server.id);
  return ok({ status: 200, body: status ?? { outcome: "unknown" }, resourceId: server.id });
}

/** @returns the wish with the canonical URL; the first thing that is wrong with it otherwise */
async function checked(admin: AdminDependencies, wish: ServerWish): Promise<Result<ServerWish, Failure>> {
  const url = checkUrls(admin, wish);
  if (!url.ok) return url;
  const misfit = checkFit(wish) ?? (await checkReferences(admin, wish));
  return misfit === undefined ? ok({ ...wish, url: url.value }) : err(misfit);
}

async function create(call: Call<unknown, CreateServer>): Promise<Result<Done, Failure>> {
  const { admin, body, now } = call;
  const wish = await checked(admin, wishOfCreation(body));
  if (!wish.ok) return wish;
  const unconfirmed = await checkConfirmed(admin, wish.value, undefined, body.confirmation);
  if (unconfirmed !== undefined) return err(unconfirmed);

  const id = admin.ports.random.uuid();
  const { url, authentication, outbound_headers, agent_authentication, inbound_headers } = wish.value;
  const server: StoredServer = {
    id,
    slug: body.slug,
    name: body.name ?? body.slug,
    ...{ url, authentication, outbound_headers, agent_authentication, inbound_headers },
    enabled: body.enabled,
    timeout_ms: body.timeout_ms,
    ...(await firstSecrets(admin, id, wish.value)),
    authentication_revision: 1,
    access: body.access,
    created_at: now,
    updated_at: now,
  };
  const inserted = await repositoryOf(admin).insert(server);
  if (inserted === "duplicate") {
    return err(failure("conflict", `There is a server with the slug ${server.slug} already`, { reason: "slug_taken" }));
  }
  if (inserted === "full") {
    const most = `A tenant may have ${limits.serversPerTenant_count} servers`;
    return err(failure("too_many", most, { reason: "servers_limit" }));
  }
  const location = `${admin.origin}/api/v1/servers/${id}`;
  return ok({ ...(await shown(admin, server, 201, warningsOfCreation(server))), location, fields: [...call.given] });
}

async function update(call: Call<unknown, UpdateServer>): Promise<Result<Done, Failure>> {
  const { admin, body, now, ifMatch } = call;
  const repository = repositoryOf(admin);
  const server = await repository.get(call.id("id"));
  if (server === undefined) return err(notFound);
  const matched = checkIfMatch(ifMatch, server.updated_at);
  if (!matched.ok) return matched;
  // What the rules have come to refuse must not stand in the way of disabling its server.
  const asked = wishOfChange(server, body);
  const wish = isJudged(call.given) ? await checked(admin, asked) : ok(asked);
  if (!wish.ok) return wish;
  const unconfirmed = await checkConfirmed(admin, wish.value, server, body.confirmation);
  if (unconfirmed !== undefined) return err(unconfirmed);

  const secrets = await nextSecrets(admin, server, wish.value, isSealedAnew(call.given));
  if (!secrets.ok) return secrets;
  const { dropped, ...sealed } = secrets.value;
  const { url, authentication, outbound_headers, agent_authentication, inbound_headers } = wish.value;
  const changes: ServerChanges = {
    name: body.name ?? server.name,
    ...{ url, authentication, outbound_headers, agent_authentication, inbound_headers },
    enabled: body.enabled ?? server.enabled,
    timeout_ms: body.timeout_ms ?? server.timeout_ms,
    access: body.access ?? server.access,
    ...sealed,
    authentication_revision: server.authentication_revision + (releasesPins(call.given, server, url) ? 1 : 0),
  };
  const updated = await repository.update(server.id, server.updated_at, changes, now);
  if (updated === undefined) return err(lostRace(ifMatch));
  const fields = new Set([
    ...call.given,
    ...(dropped.credential ? ["credential"] : []),
    ...(dropped.headers.length > 0 ? ["header_secrets"] : []),
  ]);
  return ok({ ...(await shown(admin, updated, 200, warningsOfChange(dropped, server, updated))), fields: [...fields] });
}

/**
 * An administrator who gives the authentication or its secret lets go of what was pinned for them, also where they are the same again.
 * Nothing else does: the server may name another authorization server by now (UP-01, UP-05).
 */
const releasesPins = (given: ReadonlySet<string>, { url }: StoredServer, next: string): boolean =>
  given.has("authentication") || given.has("credential") || addressOf(next) !== addressOf(url);

/** Secrets are bound to a revision that counts up with each of these, also where it is the same again. */
const isSealedAnew = (given: ReadonlySet<string>): boolean =>
  ["url", "authentication", "outbound_headers", "credential", "header_secrets"].some((member) => given.has(member));

async function remove(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const repository = repositoryOf(call.admin);
  const server = await repository.get(call.id("id"));
  if (server === undefined) return err(notFound);
  const matched = checkIfMatch(call.ifMatch, server.updated_at);
  if (!matched.ok) return matched;
  const removed = await repository.remove(server.id, server.updated_at, call.now);
  return removed ? ok({ status: 204, resourceId: server.id }) : err(lostRace(call.ifMatch));
}

async function shown(
  admin: AdminDependencies,
  server: StoredServer,
  status: 200 | 201,
  warnings?: readonly string[],
): Promise<Done> {
  const body = await serverView(admin, server, warnings);
  return { status, body, etag: etagOf(server.updated_at), resourceId: server.id };
}

export const serverRoutes: readonly Route[] = [
  route("GET", "/servers", "server.list", {
    has: { summary: "List the upstream servers, in the order of slugs", status: 200, answer: pageOf(serverAnswer) },
    query: pageQuery,
    run: list,
  }),
  route("POST", "/servers", "server.create", {
    has: { summary: "Register an upstream server", status: 201, answer: serverAnswer },
    body: createServerBody,
    run: create,
  }),
  route("GET", "/servers/:id", "server.read", {
    has: { summary: "Read an upstream server", status: 200, answer: serverAnswer },
    notFound,
    run: read,
  }),
  route("PATCH", "/servers/:id", "server.update", {
    has: {
      summary: "Change an upstream server",
      description:
        "Another origin, path or authentication drops the stored credential, unless a new one comes in the same request; the same holds for the secrets of headers. What lends the organisation's credential to callers whom nobody knows is answered with 409 `confirmation_needed` first.",
      status: 200,
      answer: serverAnswer,
    },
    notFound,
    body: updateServerBody,
    run: update,
  }),
  route("GET", "/servers/:id/status", "server.status", {
    has: {
      summary: "Read what became of the last question to an upstream server",
      description: "The server is not asked for this. The outcome is `unknown` until a list of `/mcp` asked it.",
      status: 200,
      answer: serverStatusAnswer,
    },
    notFound,
    run: readStatus,
  }),
  route("DELETE", "/servers/:id", "server.delete", {
    has: { summary: "Remove an upstream server, and its entry in every allow-list", status: 204 },
    notFound,
    run: remove,
  }),
];
