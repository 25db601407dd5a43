/** What answers say about a token. The token itself is in the one answer that mints it. */
import * as z from "zod";
import { isLive, mintToken, type NewToken, type StoredToken, type TokenKind } from "../admission/index.ts";
import { limits } from "../limits.ts";
import type { Ports } from "../ports.ts";
import { idSchema, timeSchema } from "./fields.ts";

export const tokenAnswer = z
  .object({
    id: idSchema,
    name: z.string(),
    created_at: timeSchema,
    expires_at: timeSchema,
    revoked_at: timeSchema.nullable(),
    live: z.boolean().describe("Neither revoked nor expired"),
  })
  .meta({ id: "Token" });

export const newTokenAnswer = z
  .object({
    id: idSchema,
    name: z.string(),
    token: z.string().describe("Shown in this answer only"),
    created_at: timeSchema,
    expires_at: timeSchema,
  })
  .meta({ id: "NewToken" });

export function tokenView(token: StoredToken, now: number): Readonly<Record<string, unknown>> {
  return {
    id: token.id,
    name: token.name,
    created_at: token.created_at,
    expires_at: token.expires_at,
    revoked_at: token.revoked_at,
    live: isLive(token, now),
  };
}

export const tokensFull = `There may be ${limits.tokensPerClient_count} live tokens: revoke one first`;

export interface Minting {
  /** What is stored. */
  readonly row: NewToken;
  /** What is answered, once. */
  readonly view: Readonly<Record<string, unknown>>;
}

export async function mint(
  { random }: Ports,
  kind: TokenKind,
  name: string,
  now: number,
  expires_at: number,
): Promise<Minting> {
  const { token, hash } = await mintToken(random, kind);
  const row = { id: random.uuid(), name, created_at: now, expires_at };
  return { row: { ...row, hash }, view: { ...row, ...(kind === "secret" ? { secret: token } : { token }) } };
}
