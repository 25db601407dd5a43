/** `/clients/{id}/tokens`: issue, list, rotate and revoke the tokens of a machine client. */
import * as z from "zod";
import { clientsRepository, tokensRepository } from "../admission/index.ts";
import { openDatabase } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { expiryMembers, expiryOf, idSchema, nameSchema, timeSchema } from "./fields.ts";
import { listPage, pageOf, pageQuery, type PageQuery } from "./page.ts";
import { route, type Call, type Done, type Route } from "./route.ts";
import { mint, newTokenAnswer, tokenAnswer, tokensFull, tokenView } from "./token-fields.ts";
import { invalidField } from "./validation.ts";

const second_ms = 1000;

const createBody = z.strictObject({ name: nameSchema.default("token"), ...expiryMembers });

const rotateBody = z.strictObject({
  overlap_seconds: z
    .int()
    .min(0)
    .max(limits.tokenOverlap_ms_max / second_ms)
    .default(limits.tokenOverlap_ms / second_ms)
    .describe("How long the old token still works, but never past its own expiry"),
});

const rotateAnswer = newTokenAnswer.extend({
  replaces: z.object({ id: idSchema, expires_at: timeSchema }).describe("The old token and when it ends"),
});

const clientNotFound = failure("not_found", "There is no client with this id");
const tokenNotFound = failure("not_found", "This client has no token with this id");
const full = failure("too_many", tokensFull, { reason: "tokens_limit" });

type Tokens = ReturnType<typeof tokensRepository>;

/** The tokens of the client in the path, or 404 where it does not exist in this tenant. */
async function tokensOf(call: Call<unknown, unknown>): Promise<Result<Tokens, Failure>> {
  const database = openDatabase(call.admin.database);
  const { tenant } = call.admin;
  const client = await clientsRepository(database, tenant).get(call.id("id"));
  if (client === undefined) return err(clientNotFound);
  return ok(tokensRepository(database, tenant, { kind: "client", client_id: client.id }));
}

async function list(call: Call<PageQuery, unknown>): Promise<Result<Done, Failure>> {
  const tokens = await tokensOf(call);
  if (!tokens.ok) return tokens;
  const view = (token: Parameters<typeof tokenView>[0]) => tokenView(token, call.now);
  const page = await listPage(call.query, idSchema, tokens.value.page, ({ id }) => id, view);
  return page.ok ? ok({ status: 200, body: page.value }) : page;
}

async function create(call: Call<unknown, z.output<typeof createBody>>): Promise<Result<Done, Failure>> {
  const { admin, body, now } = call;
  const expires_at = expiryOf(body, now, limits.tokenLife_ms);
  if (typeof expires_at !== "number") return err(invalidField("expires_at", expires_at.problem));
  const tokens = await tokensOf(call);
  if (!tokens.ok) return tokens;
  const { row, view } = await mint(admin.ports, "client", body.name, now, expires_at);
  if (!(await tokens.value.insert(row, now))) return err(full);
  return ok({ status: 201, body: view, resourceId: row.id, fields: [...call.given] });
}

async function rotate(call: Call<unknown, z.output<typeof rotateBody>>): Promise<Result<Done, Failure>> {
  const { admin, body, now } = call;
  const tokens = await tokensOf(call);
  if (!tokens.ok) return tokens;
  const old = await tokens.value.get(call.id("tokenId"));
  if (old === undefined) return err(tokenNotFound);
  // The new one lives as long as the old one was meant to.
  const life_ms = Math.min(old.expires_at - old.created_at, limits.tokenLife_ms_max);
  const { row, view } = await mint(admin.ports, "client", old.name, now, now + life_ms);
  const ended = await tokens.value.rotate(old.id, row, body.overlap_seconds * second_ms, now);
  if (ended === undefined) {
    const isFull = (await tokens.value.liveCount(now)) > limits.tokensPerClient_count;
    return err(isFull ? full : notLive);
  }
  const replaces = { id: ended.id, expires_at: ended.expires_at };
  return ok({ status: 201, body: { ...view, replaces }, resourceId: old.id, fields: [...call.given] });
}

const notLive = failure("conflict", "This token is revoked or expired: issue a new one", { reason: "token_not_live" });

async function revoke(call: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const tokens = await tokensOf(call);
  if (!tokens.ok) return tokens;
  const id = call.id("tokenId");
  return (await tokens.value.revoke(id, call.now)) ? ok({ status: 204, resourceId: id }) : err(tokenNotFound);
}

export const clientTokenRoutes: readonly Route[] = [
  route("GET", "/clients/:id/tokens", "client_token.list", {
    has: { summary: "List the tokens of a client, ended ones included", status: 200, answer: pageOf(tokenAnswer) },
    query: pageQuery,
    run: list,
  }),
  route("POST", "/clients/:id/tokens", "client_token.create", {
    has: { summary: "Issue a token; the answer shows it once", status: 201, answer: newTokenAnswer },
    body: createBody,
    run: create,
  }),
  route("DELETE", "/clients/:id/tokens/:tokenId", "client_token.revoke", {
    has: { summary: "Revoke a token at once", status: 204 },
    run: revoke,
  }),
  route("POST", "/clients/:id/tokens/:tokenId/rotate", "client_token.rotate", {
    has: { summary: "Issue a token in place of another, with an overlap", status: 201, answer: rotateAnswer },
    body: rotateBody,
    run: rotate,
  }),
];
