/** `/identity-providers`: the OpenID providers at which people of the tenant sign in. */
import type * as z from "zod";
import { openDatabase } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import {
  endProvider,
  providersRepository,
  sealProviderSecret,
  withdraw,
  withdrawalOf,
  type StoredProvider,
  type Withdrawal,
} from "../login/index.ts";
import { revokeGrants } from "../oauth/index.ts";
import { err, ok, type Result } from "../ports.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { idSchema } from "./fields.ts";
import {
  checkIssuer,
  createProviderBody,
  providerAnswer,
  providerView,
  updateProviderBody,
} from "./identity-provider-fields.ts";
import { listPage, pageOf, pageQuery, type PageQuery } from "./page.ts";
import { checkIfMatch, etagOf, lostRace } from "./precondition.ts";
import { route, type Call, type Done, type Route } from "./route.ts";

const repositoryOf = (admin: AdminDependencies) => providersRepository(openDatabase(admin.database), admin.tenant);

const notFound = failure("not_found", "There is no identity provider with this id");
const taken = failure("conflict", "There is an identity provider with this issuer already", { reason: "issuer_taken" });

async function list({ admin, query }: Call<PageQuery, unknown>): Promise<Result<Done, Failure>> {
  const view = (provider: StoredProvider) => providerView(admin, provider);
  const page = await listPage(query, idSchema, repositoryOf(admin).page, ({ id }) => id, view);
  return page.ok ? ok({ status: 200, body: page.value }) : page;
}

async function read(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const provider = await repositoryOf(call.admin).get(call.id("id"));
  return provider === undefined ? err(notFound) : ok(shown(call.admin, provider, 200));
}

async function create(call: Call<unknown, z.output<typeof createProviderBody>>): Promise<Result<Done, Failure>> {
  const { admin, now } = call;
  const { client_secret, ...body } = call.body;
  const checked = checkIssuer(admin, body);
  if (!checked.ok) return checked;
  const identity = { id: admin.ports.random.uuid(), revision: 1 };
  const provider: StoredProvider = {
    ...body,
    ...identity,
    credential: await seal(admin, identity, client_secret),
    token_endpoint_origin: null,
    created_at: now,
    updated_at: now,
  };
  const inserted = await repositoryOf(admin).insert(provider);
  if (inserted === "duplicate") return err(taken);
  if (inserted === "full") {
    const most = `A tenant may have ${limits.providersPerTenant_count} identity providers`;
    return err(failure("too_many", most, { reason: "identity_providers_limit" }));
  }
  const location = `${admin.origin}/api/v1/identity-providers/${provider.id}`;
  return ok({ ...shown(admin, provider, 201), location, fields: [...call.given] });
}

async function update(call: Call<unknown, z.output<typeof updateProviderBody>>): Promise<Result<Done, Failure>> {
  const { admin, body, now, ifMatch } = call;
  const repository = repositoryOf(admin);
  const provider = await repository.get(call.id("id"));
  if (provider === undefined) return err(notFound);
  const matched = checkIfMatch(ifMatch, provider.updated_at);
  if (!matched.ok) return matched;
  const wanted = {
    name: body.name ?? provider.name,
    client_id: body.client_id ?? provider.client_id,
    options: body.options ?? provider.options,
    enabled: body.enabled ?? provider.enabled,
  };
  // An issuer that the rules have come to refuse must not stand in the way of disabling its provider.
  if (body.options !== undefined || body.enabled === true) {
    const checked = checkIssuer(admin, { ...wanted, kind: provider.kind, issuer: provider.issuer });
    if (!checked.ok) return checked;
  }
  const { dropped, ...secret } = await nextSecret(admin, provider, wanted.client_id, body.client_secret);
  const withdrawal = withdrawalOf(provider.options, wanted.options);
  // Before, so that a failure can be repeated; and after, for whoever signed in between.
  if (withdrawal !== undefined) await endWithdrawn(admin, provider.id, withdrawal);
  const updated = await repository.update(provider.id, provider.updated_at, { ...wanted, ...secret }, now);
  if (updated === undefined) return err(lostRace(ifMatch));
  if (withdrawal !== undefined) await endWithdrawn(admin, provider.id, withdrawal);
  // By what it is now and not by what changed: a repetition ends what a failure left.
  if (call.given.has("enabled") && !updated.enabled) await endProvider(admin.visit, updated.id);
  const fields = new Set([...call.given, ...(dropped ? ["client_secret"] : [])]);
  const warnings = [
    ...(dropped ? [droppedWarning] : []),
    ...(withdrawal === undefined ? [] : [withdrawal.domains ? domainsWarning : factsWarning]),
  ];
  return ok({ ...shown(admin, updated, 200, warnings), fields: [...fields] });
}

async function remove(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const { admin, ifMatch } = call;
  const repository = repositoryOf(admin);
  const provider = await repository.get(call.id("id"));
  if (provider === undefined) return err(notFound);
  const matched = checkIfMatch(ifMatch, provider.updated_at);
  if (!matched.ok) return matched;
  // Closed, then emptied, then removed: nobody comes in between, and where a step fails the request can be repeated.
  const closed = await repository.update(provider.id, provider.updated_at, { enabled: false }, call.now);
  if (closed === undefined) return err(lostRace(ifMatch));
  await endProvider(admin.visit, closed.id);
  await revokeGrants(admin.visit, { provider_id: closed.id }, "provider_deleted");
  const removed = await repository.remove(closed.id, closed.updated_at);
  return removed ? ok({ status: 204, resourceId: provider.id }) : err(lostRace(ifMatch));
}

const droppedWarning =
  'The stored client secret was dropped, because it was given for another client id. Send it again as "client_secret".';

const domainsWarning =
  "Everybody of this provider was signed out, and the grants of their applications ended: only a new sign-in tells the domain of an account.";

const factsWarning =
  "What former sign-ins told of groups or verified addresses was forgotten, and access tokens that hold it ended: people whose role rests on it must sign in again.";

async function endWithdrawn({ visit }: AdminDependencies, provider_id: string, withdrawal: Withdrawal): Promise<void> {
  await withdraw(visit, provider_id, withdrawal);
  if (withdrawal.domains) await revokeGrants(visit, { provider_id }, "domain_withdrawn");
}

interface NextSecret {
  /** A new revision seals the secret anew and forgets the token endpoint that discovery pinned. */
  readonly revision?: number;
  readonly credential?: string | null;
  readonly dropped: boolean;
}

/**
 * The secret after a change. It stays only with the client it was given for, as it stays with its issuer, which cannot change, and with
 * the token endpoint that was pinned: whoever may edit a provider cannot have it sent elsewhere.
 */
async function nextSecret(
  admin: AdminDependencies,
  provider: StoredProvider,
  client_id: string,
  given: string | null | undefined,
): Promise<NextSecret> {
  const moved = client_id !== provider.client_id;
  if (!moved && given === undefined) return { dropped: false };
  const revision = provider.revision + 1;
  const credential = await seal(admin, { id: provider.id, revision }, given ?? undefined);
  return { revision, credential, dropped: given === undefined && provider.credential !== null };
}

async function seal(
  { visit, tenant }: AdminDependencies,
  identity: Pick<StoredProvider, "id" | "revision">,
  client_secret: string | undefined,
): Promise<string | null> {
  return client_secret === undefined ? null : sealProviderSecret(visit.vault, tenant, identity, client_secret);
}

function shown(
  admin: AdminDependencies,
  provider: StoredProvider,
  status: 200 | 201,
  warnings?: readonly string[],
): Done {
  const body = providerView(admin, provider, warnings);
  return { status, body, etag: etagOf(provider.updated_at), resourceId: provider.id };
}

export const identityProviderRoutes: readonly Route[] = [
  route("GET", "/identity-providers", "identity_provider.list", {
    has: { summary: "List the identity providers", status: 200, answer: pageOf(providerAnswer) },
    query: pageQuery,
    run: list,
  }),
  route("POST", "/identity-providers", "identity_provider.create", {
    has: {
      summary: "Register an identity provider",
      description: "The answer has the redirect URI and the back-channel logout URI to register there.",
      status: 201,
      answer: providerAnswer,
    },
    body: createProviderBody,
    run: create,
  }),
  route("GET", "/identity-providers/:id", "identity_provider.read", {
    has: { summary: "Read an identity provider", status: 200, answer: providerAnswer },
    run: read,
  }),
  route("PATCH", "/identity-providers/:id", "identity_provider.update", {
    has: {
      summary: "Change an identity provider",
      description:
        "Another client id drops the stored client secret, unless a new one comes in the same request. The issuer cannot be changed. Role rules hold at once for those who are signed in; a domain less ends the sessions and grants of all people of the provider.",
      status: 200,
      answer: providerAnswer,
    },
    body: updateProviderBody,
    run: update,
  }),
  route("DELETE", "/identity-providers/:id", "identity_provider.delete", {
    has: { summary: "Remove an identity provider, and end the sessions and grants of its people", status: 204 },
    run: remove,
  }),
];
