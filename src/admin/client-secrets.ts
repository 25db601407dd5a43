/**
 * `/clients/{id}/secrets`: what a registered client proves itself with at the token endpoint. Several may live at once, so that one
 * is replaced without an interruption: issue the next, let the client take it, revoke the old one.
 * @see RFC 6749 section 2.3.1
 */
import type { StoredClient } from "../admission/index.ts";
import { failure, type Failure } from "../errors.ts";
import { issueBody, issueOwned, listOwned, revokeOwned } from "./owned-tokens.ts";
import { pageOf, pageQuery } from "./page.ts";
import { route, type Route } from "./route.ts";
import { newTokenAnswer, tokenAnswer } from "./token-fields.ts";

const newSecretAnswer = newTokenAnswer
  .omit({ token: true })
  .extend({ secret: newTokenAnswer.shape.token })
  .meta({ id: "NewSecret" });

const notFound = failure("not_found", "This client has no secret with this id");

function takesSecrets({ oauth }: StoredClient): Failure | undefined {
  if (oauth?.authentication === "client_secret_basic" || oauth?.authentication === "client_secret_post")
    return undefined;
  const detail = "This client does not authenticate by a secret: set oauth.authentication to client_secret_basic first";
  return failure("conflict", detail, { reason: "client_without_secret" });
}

export const clientSecretRoutes: readonly Route[] = [
  route("GET", "/clients/:id/secrets", "client_secret.list", {
    has: {
      summary: "List the OAuth secrets of a client, ended ones included",
      status: 200,
      answer: pageOf(tokenAnswer),
    },
    query: pageQuery,
    run: (call) => listOwned(call, "secret"),
  }),
  route("POST", "/clients/:id/secrets", "client_secret.create", {
    has: { summary: "Issue an OAuth secret; the answer shows it once", status: 201, answer: newSecretAnswer },
    body: issueBody("secret"),
    run: (call) => issueOwned(call, "secret", takesSecrets),
  }),
  route("DELETE", "/clients/:id/secrets/:tokenId", "client_secret.revoke", {
    has: {
      summary: "Revoke an OAuth secret at once",
      description: "Access tokens that were got with it live out their ten minutes at most.",
      status: 204,
    },
    run: (call) => revokeOwned(call, "secret", notFound),
  }),
];
