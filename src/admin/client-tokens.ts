/** `/clients/{id}/tokens`: issue, list, rotate and revoke the tokens of a machine client. */
import * as z from "zod";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { idSchema, timeSchema } from "./fields.ts";
import { issueBody, issueOwned, listOwned, ownedTokens, revokeOwned } from "./owned-tokens.ts";
import { pageOf, pageQuery } from "./page.ts";
import { route, type Call, type Done, type Route } from "./route.ts";
import { mint, newTokenAnswer, tokenAnswer, tokensFull } from "./token-fields.ts";

const second_ms = 1000;

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

const tokenNotFound = failure("not_found", "This client has no token with this id");
const full = failure("too_many", tokensFull, { reason: "tokens_limit" });

async function rotate(call: Call<unknown, z.output<typeof rotateBody>>): Promise<Result<Done, Failure>> {
  const { admin, body, now } = call;
  const owned = await ownedTokens(call, "client");
  if (!owned.ok) return owned;
  const { tokens } = owned.value;
  const old = await tokens.get(call.id("tokenId"));
  if (old === undefined) return err(tokenNotFound);
  // The new one lives as long as the old one was meant to.
  const life_ms = Math.min(old.expires_at - old.created_at, limits.tokenLife_ms_max);
  const { row, view } = await mint(admin.ports, "client", old.name, now, now + life_ms);
  const ended = await tokens.rotate(old.id, row, body.overlap_seconds * second_ms, now);
  if (ended === undefined) {
    const isFull = (await tokens.liveCount(now)) > limits.tokensPerClient_count;
    return err(isFull ? full : notLive);
  }
  const replaces = { id: ended.id, expires_at: ended.expires_at };
  return ok({ status: 201, body: { ...view, replaces }, resourceId: old.id, fields: [...call.given] });
}

const notLive = failure("conflict", "This token is revoked or expired: issue a new one", { reason: "token_not_live" });

export const clientTokenRoutes: readonly Route[] = [
  route("GET", "/clients/:id/tokens", "client_token.list", {
    has: { summary: "List the tokens of a client, ended ones included", status: 200, answer: pageOf(tokenAnswer) },
    query: pageQuery,
    run: (call) => listOwned(call, "client"),
  }),
  route("POST", "/clients/:id/tokens", "client_token.create", {
    has: { summary: "Issue a token; the answer shows it once", status: 201, answer: newTokenAnswer },
    body: issueBody("token"),
    run: (call) => issueOwned(call, "client"),
  }),
  route("DELETE", "/clients/:id/tokens/:tokenId", "client_token.revoke", {
    has: { summary: "Revoke a token at once", status: 204 },
    run: (call) => revokeOwned(call, "client", tokenNotFound),
  }),
  route("POST", "/clients/:id/tokens/:tokenId/rotate", "client_token.rotate", {
    has: { summary: "Issue a token in place of another, with an overlap", status: 201, answer: rotateAnswer },
    body: rotateBody,
    run: rotate,
  }),
];
