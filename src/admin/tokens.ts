/** `/tokens`: the administrators' own tokens. */
import * as z from "zod";
import { administrators, tokensRepository } from "../admission/index.ts";
import { openDatabase } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { expiryMembers, expiryOf, idSchema, nameSchema } from "./fields.ts";
import { listPage, pageOf, pageQuery, type PageQuery } from "./page.ts";
import { route, type Call, type Done, type Route } from "./route.ts";
import { mint, newTokenAnswer, tokenAnswer, tokensFull, tokenView } from "./token-fields.ts";
import { invalidField } from "./validation.ts";

const createBody = z.strictObject({ name: nameSchema, ...expiryMembers });

const repositoryOf = (admin: AdminDependencies) =>
  tokensRepository(openDatabase(admin.database), admin.tenant, administrators);

async function list({ admin, query, now }: Call<PageQuery, unknown>): Promise<Result<Done, Failure>> {
  const view = (token: Parameters<typeof tokenView>[0]) => tokenView(token, now);
  const page = await listPage(query, idSchema, repositoryOf(admin).page, ({ id }) => id, view);
  return page.ok ? ok({ status: 200, body: page.value }) : page;
}

async function create(call: Call<unknown, z.output<typeof createBody>>): Promise<Result<Done, Failure>> {
  const { admin, body, now } = call;
  const expires_at = expiryOf(body, now, limits.tokenLife_ms);
  if (typeof expires_at !== "number") return err(invalidField("expires_at", expires_at.problem));
  const { row, view } = await mint(admin.ports, "administrator", body.name, now, expires_at);
  if (!(await repositoryOf(admin).insert(row, now))) {
    return err(failure("too_many", tokensFull, { reason: "tokens_limit" }));
  }
  return ok({ status: 201, body: view, resourceId: row.id, fields: [...call.given] });
}

async function revoke(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const tokens = repositoryOf(call.admin);
  const id = call.id("tokenId");
  if (await tokens.revoke(id, call.now)) return ok({ status: 204, resourceId: id });
  if ((await tokens.get(id)) === undefined) return err(failure("not_found", "There is no token with this id"));
  return err(
    failure("conflict", "This is the last live administrator token: issue another one before you revoke it", {
      reason: "last_administrator",
    }),
  );
}

export const tokenRoutes: readonly Route[] = [
  route("GET", "/tokens", "administrator_token.list", {
    has: { summary: "List the administrators' tokens", status: 200, answer: pageOf(tokenAnswer) },
    query: pageQuery,
    run: list,
  }),
  route("POST", "/tokens", "administrator_token.create", {
    has: { summary: "Issue an administrator token; the answer shows it once", status: 201, answer: newTokenAnswer },
    body: createBody,
    run: create,
  }),
  route("DELETE", "/tokens/:tokenId", "administrator_token.revoke", {
    has: {
      summary: "Revoke an administrator token at once",
      description: "The last live one cannot be revoked.",
      status: 204,
    },
    run: revoke,
  }),
];
