/** What tokens and secrets of a client have in common: they are listed, issued and revoked alike. */
import * as z from "zod";
import { clientsRepository, tokensRepository, type StoredClient } from "../admission/index.ts";
import { openDatabase } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { expiryMembers, expiryOf, idSchema, nameSchema } from "./fields.ts";
import { listPage, type PageQuery } from "./page.ts";
import type { Call, Done } from "./route.ts";
import { mint, tokensFull, tokenView } from "./token-fields.ts";
import { invalidField } from "./validation.ts";

export type OwnedKind = "client" | "secret";

export const issueBody = (name: string) => z.strictObject({ name: nameSchema.default(name), ...expiryMembers });

export type IssueBody = z.output<ReturnType<typeof issueBody>>;

const clientNotFound = failure("not_found", "There is no client with this id");
const full = failure("too_many", tokensFull, { reason: "tokens_limit" });

export interface Owned {
  readonly client: StoredClient;
  readonly tokens: ReturnType<typeof tokensRepository>;
}

/** The client in the path with its tokens of this kind, or 404 where it does not exist in this tenant. */
export async function ownedTokens(call: Call<unknown, unknown>, kind: OwnedKind): Promise<Result<Owned, Failure>> {
  const database = openDatabase(call.admin.database);
  const { tenant } = call.admin;
  const client = await clientsRepository(database, tenant).get(call.id("id"));
  if (client === undefined) return err(clientNotFound);
  return ok({ client, tokens: tokensRepository(database, tenant, { kind, client_id: client.id }) });
}

export async function listOwned(call: Call<PageQuery, unknown>, kind: OwnedKind): Promise<Result<Done, Failure>> {
  const owned = await ownedTokens(call, kind);
  if (!owned.ok) return owned;
  const view = (token: Parameters<typeof tokenView>[0]) => tokenView(token, call.now);
  const page = await listPage(call.query, idSchema, owned.value.tokens.page, ({ id }) => id, view);
  return page.ok ? ok({ status: 200, body: page.value }) : page;
}

/** @param check whether this client may have one */
export async function issueOwned(
  call: Call<unknown, IssueBody>,
  kind: OwnedKind,
  check?: (client: StoredClient) => Failure | undefined,
): Promise<Result<Done, Failure>> {
  const { admin, body, now } = call;
  const expires_at = expiryOf(body, now, limits.tokenLife_ms);
  if (typeof expires_at !== "number") return err(invalidField("expires_at", expires_at.problem));
  const owned = await ownedTokens(call, kind);
  if (!owned.ok) return owned;
  const refused = check?.(owned.value.client);
  if (refused !== undefined) return err(refused);
  const { row, view } = await mint(admin.ports, kind, body.name, now, expires_at);
  if (!(await owned.value.tokens.insert(row, now))) return err(full);
  return ok({ status: 201, body: view, resourceId: row.id, fields: [...call.given] });
}

export async function revokeOwned(
  call: Call<unknown, unknown>,
  kind: OwnedKind,
  notFound: Failure,
): Promise<Result<Done, Failure>> {
  const owned = await ownedTokens(call, kind);
  if (!owned.ok) return owned;
  const id = call.id("tokenId");
  return (await owned.value.tokens.revoke(id, call.now)) ? ok({ status: 204, resourceId: id }) : err(notFound);
}
