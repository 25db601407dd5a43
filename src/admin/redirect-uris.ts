/** `/redirect-uris`: where authorization codes may be sent, and what was asked for and is not trusted. */
import * as z from "zod";
import { openDatabase } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import {
  blockedRedirects,
  coversRedirect,
  parseTrustedRedirect,
  revokeGrants,
  trustedEntryFor,
  trustedRedirects,
  type TrustedRedirect,
} from "../oauth/index.ts";
import { err, ok, type Result } from "../ports.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { descriptionSchema, idSchema, timeSchema } from "./fields.ts";
import { listPage, pageOf, pageQuery, type PageQuery } from "./page.ts";
import { route, type Call, type Done, type Route } from "./route.ts";
import { invalidField } from "./validation.ts";

const createBody = z.strictObject({
  uri: z
    .string()
    .min(1)
    .max(limits.redirectUri_chars)
    .describe(
      "`https://…` or `scheme:…`: exactly this URL. `http://127.0.0.1/callback`: this path on any port of loopback. `http://localhost`: any path and port",
    ),
  note: descriptionSchema.default("").describe("What it is for"),
});

const trustedAnswer = z
  .object({
    id: idSchema,
    uri: z.string(),
    note: z.string(),
    created_at: timeSchema,
    created_by: z.string().describe("The agent or person as events name it"),
  })
  .meta({ id: "TrustedRedirect" });

const blockedAnswer = z
  .object({
    client_id: z.string(),
    client_name: z.string().describe("As the client calls itself"),
    redirect_uri: z.string(),
    trust: z.string().describe("The narrowest entry that would let it through"),
    attempts: z.int(),
    first_at: timeSchema,
    last_at: timeSchema,
  })
  .meta({ id: "BlockedRedirect" });

const removedAnswer = z.object({
  revoked_grants: z.int().describe("Grants that ended, because no entry covers their redirect URI any more"),
});

const repositoryOf = (admin: AdminDependencies) => trustedRedirects(openDatabase(admin.database), admin.tenant);

const notFound = failure("not_found", "There is no trusted redirect URL with this id");
const exists = failure("conflict", "This redirect URL is trusted already", { reason: "redirect_uri_exists" });

async function list({ admin, query }: Call<PageQuery, unknown>): Promise<Result<Done, Failure>> {
  const page = await listPage(query, idSchema, repositoryOf(admin).page, ({ id }) => id, trustedView);
  return page.ok ? ok({ status: 200, body: page.value }) : page;
}

async function create(call: Call<unknown, z.output<typeof createBody>>): Promise<Result<Done, Failure>> {
  const { admin, body, now } = call;
  const uri = parseTrustedRedirect(body.uri);
  if (!uri.ok) return err(invalidField("uri", uri.error));
  const { principal } = admin;
  const entry: TrustedRedirect = {
    id: admin.ports.random.uuid(),
    uri: uri.value,
    note: body.note,
    created_at: now,
    created_by: principal?.user === undefined ? (principal?.agent ?? "unknown") : `user:${principal.user.id}`,
  };
  const repository = repositoryOf(admin);
  const inserted = await repository.insert(entry);
  if (inserted === "exists") return err(exists);
  if (inserted === "full") {
    const most = `A tenant may trust ${limits.trustedRedirects_count} redirect URLs`;
    return err(failure("too_many", most, { reason: "redirect_uris_limit" }));
  }
  const blocked = blockedRedirects(openDatabase(admin.database), admin.tenant);
  const passing = (await blocked.page()).map(({ redirect_uri }) => redirect_uri);
  await blocked.forget(passing.filter((redirect_uri) => coversRedirect(entry.uri, redirect_uri)));
  return ok({ status: 201, body: trustedView(entry), resourceId: entry.id, fields: [...call.given] });
}

/** Grants whose redirect URI nothing covers any more end with it. */
async function remove(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const { admin } = call;
  const removed = await repositoryOf(admin).remove(call.id("id"));
  if (removed === undefined) return err(notFound);
  const revoked_grants = await revokeGrants(admin.visit, { redirect_uris: [removed.uri] }, "redirect_untrusted");
  return ok({ status: 200, body: { revoked_grants }, resourceId: removed.id, fields: ["uri"] });
}

/** All of them fit one page. */
async function listBlocked({ admin }: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const blocked = await blockedRedirects(openDatabase(admin.database), admin.tenant).page();
  const items = blocked.map((one) => ({ ...one, trust: trustedEntryFor(one.redirect_uri) }));
  return ok({ status: 200, body: { items, next: null } });
}

function trustedView({ id, uri, note, created_at, created_by }: TrustedRedirect): Readonly<Record<string, unknown>> {
  return { id, uri, note, created_at, created_by };
}

export const redirectUriRoutes: readonly Route[] = [
  route("GET", "/redirect-uris", "redirect_uri.list", {
    has: { summary: "List the trusted redirect URLs", status: 200, answer: pageOf(trustedAnswer) },
    query: pageQuery,
    run: list,
  }),
  route("POST", "/redirect-uris", "redirect_uri.create", {
    has: { summary: "Trust a redirect URL", status: 201, answer: trustedAnswer },
    body: createBody,
    run: create,
  }),
  route("GET", "/redirect-uris/blocked", "redirect_uri.blocked", {
    has: {
      summary: "List redirect URLs that were asked for and are not trusted, the last one first",
      status: 200,
      answer: pageOf(blockedAnswer),
    },
    run: listBlocked,
  }),
  route("DELETE", "/redirect-uris/:id", "redirect_uri.delete", {
    has: {
      summary: "Trust a redirect URL no longer, and revoke the grants that used it",
      status: 200,
      answer: removedAnswer,
    },
    run: remove,
  }),
];
