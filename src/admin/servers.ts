/** `/servers`: the upstream MCP servers of the tenant. */
import { openDatabase } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import {
  serversRepository,
  slugSchema,
  type Authentication,
  type Credential,
  type ServerChanges,
  type StoredServer,
} from "../registry/index.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { listPage, pageOf, pageQuery } from "./page.ts";
import { checkIfMatch, etagOf, lostRace } from "./precondition.ts";
import { route, type Call, type Done, type Route } from "./route.ts";
import {
  checkCredential,
  checkServerUrl,
  createServerBody,
  serverAnswer,
  serverStatusAnswer,
  serverView,
  updateServerBody,
} from "./server-fields.ts";
import type * as z from "zod";

const repositoryOf = (admin: AdminDependencies) => serversRepository(openDatabase(admin.database), admin.tenant);

const notFound = failure("not_found", "There is no server with this id");

/** Moved to another revision, row or tenant, the sealed text does not open. */
const bindingOf = (admin: AdminDependencies, id: string, revision: number) => ({
  purpose: "server-credential",
  tenant: admin.tenant,
  record: id,
  field: "credential",
  revision,
});

async function list({ admin, query }: Call<z.output<typeof pageQuery>, unknown>): Promise<Result<Done, Failure>> {
  const repository = repositoryOf(admin);
  const page = await listPage(query, slugSchema, repository.page, byslug, (server) => serverView(admin, server));
  return page.ok ? ok({ status: 200, body: page.value }) : page;
}

const byslug = (server: StoredServer): string => server.slug;

async function read(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const server = await repositoryOf(call.admin).get(call.id("id"));
  return server === undefined ? err(notFound) : ok(shown(call.admin, server, 200));
}

/** Its health without asking it, so that looking costs nothing and cannot be used to make the gateway call. */
async function readStatus({ admin, id }: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const server = await repositoryOf(admin).get(id("id"));
  if (server === undefined) return err(notFound);
  const status = await admin.readServerStatus(server.id);
  return ok({ status: 200, body: status ?? { outcome: "unknown" }, resourceId: server.id });
}

async function create(call: Call<unknown, z.output<typeof createServerBody>>): Promise<Result<Done, Failure>> {
  const { admin, body, now } = call;
  const url = checkServerUrl(admin, body.url, body.authentication);
  if (!url.ok) return url;
  const misfit = checkCredential(body.authentication, body.credential);
  if (misfit !== undefined) return err(misfit);

  const id = admin.ports.random.uuid();
  const revision = 1;
  const server: StoredServer = {
    id,
    slug: body.slug,
    name: body.name ?? body.slug,
    url: url.value,
    enabled: body.enabled,
    timeout_ms: body.timeout_ms,
    authentication: body.authentication,
    credential: await seal(admin, id, revision, body.credential),
    revision,
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
  return ok({ ...shown(admin, server, 201), location, fields: [...call.given] });
}

async function update(call: Call<unknown, z.output<typeof updateServerBody>>): Promise<Result<Done, Failure>> {
  const { admin, body, now, ifMatch } = call;
  const repository = repositoryOf(admin);
  const server = await repository.get(call.id("id"));
  if (server === undefined) return err(notFound);
  const matched = checkIfMatch(ifMatch, server.updated_at);
  if (!matched.ok) return matched;
  const authentication = body.authentication ?? server.authentication;
  // An address that the rules have come to refuse must not stand in the way of disabling its server.
  const moved = body.url !== undefined || body.authentication !== undefined;
  const url = moved ? checkServerUrl(admin, body.url ?? server.url, authentication) : ok(server.url);
  if (!url.ok) return url;
  const misfit = checkCredential(authentication, body.credential ?? undefined);
  if (misfit !== undefined) return err(misfit);

  const credential = await nextCredential(admin, server, url.value, authentication, body.credential);
  if (!credential.ok) return credential;
  const changes: ServerChanges = {
    name: body.name ?? server.name,
    url: url.value,
    enabled: body.enabled ?? server.enabled,
    timeout_ms: body.timeout_ms ?? server.timeout_ms,
    access: body.access ?? server.access,
    authentication,
    credential: credential.value.sealed,
    revision: credential.value.revision,
  };
  const updated = await repository.update(server.id, server.updated_at, changes, now);
  if (updated === undefined) return err(lostRace(ifMatch));
  const { dropped } = credential.value;
  const fields = new Set([...call.given, ...(dropped ? ["credential"] : [])]);
  return ok({ ...shown(admin, updated, 200, dropped ? [droppedWarning] : []), fields: [...fields] });
}

async function remove(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const repository = repositoryOf(call.admin);
  const server = await repository.get(call.id("id"));
  if (server === undefined) return err(notFound);
  const matched = checkIfMatch(call.ifMatch, server.updated_at);
  if (!matched.ok) return matched;
  const removed = await repository.remove(server.id, server.updated_at, call.now);
  return removed ? ok({ status: 204, resourceId: server.id }) : err(lostRace(call.ifMatch));
}

const droppedWarning =
  'The stored credential was dropped, because it was given for another address or authentication. Send it again as "credential".';

interface NextCredential {
  readonly sealed: string | null;
  readonly revision: number;
  readonly dropped: boolean;
}

/**
 * The credential after a change. It stays only with the address and the authentication it was given for: whoever may edit
 * a server could otherwise send its secret to a host of their own, without ever reading it.
 */
async function nextCredential(
  admin: AdminDependencies,
  server: StoredServer,
  url: string,
  authentication: Authentication,
  given: Credential | null | undefined,
): Promise<Result<NextCredential, Failure>> {
  const sameAuthentication = JSON.stringify(authentication) === JSON.stringify(server.authentication);
  if (url === server.url && sameAuthentication && given === undefined) {
    return ok({ sealed: server.credential, revision: server.revision, dropped: false });
  }
  const revision = server.revision + 1;
  if (given !== undefined) {
    return ok({ sealed: await seal(admin, server.id, revision, given ?? undefined), revision, dropped: false });
  }
  if (server.credential === null) return ok({ sealed: null, revision, dropped: false });
  if (!sameAuthentication || addressOf(url) !== addressOf(server.url)) {
    return ok({ sealed: null, revision, dropped: true });
  }
  const opened = await admin.vault.open(bindingOf(admin, server.id, server.revision), server.credential);
  if (!opened.ok) return opened;
  const sealed = await admin.vault.seal(bindingOf(admin, server.id, revision), opened.value);
  return ok({ sealed, revision, dropped: false });
}

/** What a credential was given for: the query may change. */
function addressOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

async function seal(
  admin: AdminDependencies,
  id: string,
  revision: number,
  credential: Credential | undefined,
): Promise<string | null> {
  if (credential === undefined) return null;
  return admin.vault.seal(bindingOf(admin, id, revision), JSON.stringify(credential));
}

function shown(admin: AdminDependencies, server: StoredServer, status: 200 | 201, warnings?: readonly string[]): Done {
  const body = serverView(admin, server, warnings);
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
    run: read,
  }),
  route("PATCH", "/servers/:id", "server.update", {
    has: {
      summary: "Change an upstream server",
      description:
        "Another origin, path or authentication drops the stored credential, unless a new one comes in the same request.",
      status: 200,
      answer: serverAnswer,
    },
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
    run: readStatus,
  }),
  route("DELETE", "/servers/:id", "server.delete", {
    has: { summary: "Remove an upstream server, and its entry in every allow-list", status: 204 },
    run: remove,
  }),
];
