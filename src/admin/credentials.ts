/** `/credentials`: what headers of servers are filled with, kept by name. No route gives a value out. */
import type * as z from "zod";
import {
  sealStoredCredential,
  storedCredentialsRepository,
  type CredentialChanges,
  type StoredCredential,
} from "../connections/index.ts";
import { openDatabase } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { createCredentialBody, credentialAnswer, credentialView, updateCredentialBody } from "./credential-fields.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { idSchema } from "./fields.ts";
import { listPage, pageOf, pageQuery, type PageQuery } from "./page.ts";
import { checkIfMatch, etagOf, lostRace } from "./precondition.ts";
import { route, type Call, type Done, type Route } from "./route.ts";
import { invalidField } from "./validation.ts";

const repositoryOf = (admin: AdminDependencies) =>
  storedCredentialsRepository(openDatabase(admin.database), admin.tenant);

const notFound = failure("not_found", "There is no stored credential with this id");
const taken = failure("conflict", "There is a stored credential with this name already", { reason: "name_taken" });
const ownValue = invalidField("value", "each person gives their own");

function inUse(servers: readonly string[]): Failure {
  const shown = servers.slice(0, limits.fieldErrors_count);
  const detail = `These servers have a header with it: ${shown.join(", ")}${shown.length < servers.length ? ", …" : ""}`;
  return failure("conflict", detail, { reason: "credential_in_use", data: { servers: [...servers] } });
}

async function list({ admin, query }: Call<PageQuery, unknown>): Promise<Result<Done, Failure>> {
  const page = await listPage(query, idSchema, repositoryOf(admin).page, ({ id }) => id, credentialView);
  return page.ok ? ok({ status: 200, body: page.value }) : page;
}

async function read(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const stored = await repositoryOf(call.admin).get(call.id("id"));
  return stored === undefined ? err(notFound) : ok(shown(stored, 200));
}

async function create(call: Call<unknown, z.output<typeof createCredentialBody>>): Promise<Result<Done, Failure>> {
  const { admin, now } = call;
  const { value, ...body } = call.body;
  if (body.holder === "user" && value !== undefined) return err(ownValue);
  if (body.holder === "organisation" && value === undefined) return err(invalidField("value", "is missing"));
  const identity = { id: admin.ports.random.uuid(), revision: 1 };
  const credential =
    value === undefined ? null : await sealStoredCredential(admin.vault, admin.tenant, identity, value);
  const stored: StoredCredential = { ...body, ...identity, credential, created_at: now, updated_at: now };
  const inserted = await repositoryOf(admin).insert(stored);
  if (inserted === "duplicate") return err(taken);
  if (inserted === "full") {
    const most = `A tenant may have ${limits.storedCredentials_count} stored credentials`;
    return err(failure("too_many", most, { reason: "stored_credentials_limit" }));
  }
  const location = `${admin.origin}/api/v1/credentials/${stored.id}`;
  return ok({ ...shown(stored, 201), location, fields: [...call.given] });
}

async function update(call: Call<unknown, z.output<typeof updateCredentialBody>>): Promise<Result<Done, Failure>> {
  const { admin, body, now, ifMatch } = call;
  const repository = repositoryOf(admin);
  const stored = await repository.get(call.id("id"));
  if (stored === undefined) return err(notFound);
  const matched = checkIfMatch(ifMatch, stored.updated_at);
  if (!matched.ok) return matched;
  if (stored.holder === "user" && body.value !== undefined) return err(ownValue);
  // Only what the request names: a rewrap that runs beside must not find its work undone.
  const changes: CredentialChanges = {
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(body.hint === undefined ? {} : { hint: body.hint }),
    ...(body.value === undefined ? {} : await renewed(admin, stored, body.value)),
  };
  const updated = await repository.update(stored.id, stored.updated_at, changes, now);
  if (updated === "duplicate") return err(taken);
  if (updated === "changed") return err(lostRace(ifMatch));
  return ok({ ...shown(updated, 200), fields: [...call.given] });
}

/** Another value is another revision, so that the former one does not open in its place. */
async function renewed(
  { vault, tenant }: AdminDependencies,
  stored: StoredCredential,
  value: string,
): Promise<CredentialChanges> {
  const revision = stored.revision + 1;
  return { revision, credential: await sealStoredCredential(vault, tenant, { id: stored.id, revision }, value) };
}

async function remove(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const repository = repositoryOf(call.admin);
  const stored = await repository.get(call.id("id"));
  if (stored === undefined) return err(notFound);
  const matched = checkIfMatch(call.ifMatch, stored.updated_at);
  if (!matched.ok) return matched;
  if (await repository.remove(stored.id, stored.updated_at)) return ok({ status: 204, resourceId: stored.id });
  const servers = await repository.usedBy(stored.id);
  return err(servers.length > 0 ? inUse(servers) : lostRace(call.ifMatch));
}

function shown(stored: StoredCredential, status: 200 | 201): Done {
  return { status, body: credentialView(stored), etag: etagOf(stored.updated_at), resourceId: stored.id };
}

export const credentialRoutes: readonly Route[] = [
  route("GET", "/credentials", "credential.list", {
    has: { summary: "List the stored credentials", status: 200, answer: pageOf(credentialAnswer) },
    query: pageQuery,
    run: list,
  }),
  route("POST", "/credentials", "credential.create", {
    has: { summary: "Store a credential for headers of servers", status: 201, answer: credentialAnswer },
    body: createCredentialBody,
    run: create,
  }),
  route("GET", "/credentials/:id", "credential.read", {
    has: { summary: "Read a stored credential, without its value", status: 200, answer: credentialAnswer },
    run: read,
  }),
  route("PATCH", "/credentials/:id", "credential.update", {
    has: {
      summary: "Change a stored credential",
      description: "A new value takes the place of the former one, for every server that has a header with it.",
      status: 200,
      answer: credentialAnswer,
    },
    body: updateCredentialBody,
    run: update,
  }),
  route("DELETE", "/credentials/:id", "credential.delete", {
    has: {
      summary: "Remove a stored credential, and what people gave of their own for it",
      description: "Refused with 409 and the slugs while servers have a header with it.",
      status: 204,
    },
    run: remove,
  }),
];
