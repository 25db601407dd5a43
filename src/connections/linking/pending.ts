/** What the way back from a provider needs, sealed in the row of the attempt. */
import * as z from "zod";
import { openDatabase } from "../../db/index.ts";
import { err, ok, type Random, type Result } from "../../ports.ts";
import { sha256 } from "../../sha256.ts";
import { linkAttemptBinding } from "../../vault/index.ts";
import type { Base } from "../types.ts";
import { linkAttempts, type Attempt } from "./attempts.ts";
import type { Link } from "./link.ts";
import { refusal, type LinkRefusal } from "./refusals.ts";

const pendingSchema = z.strictObject({
  /** Whose attempt it is and what for, as the row has it: the answer makes a connection of nobody else, and for nothing else. */
  user_id: z.string(),
  target: z.string(),
  link_id: z.string(),
  /** Who was asked: the answer is taken from nobody else, and the code goes nowhere else. */
  issuer: z.string(),
  authorization_endpoint: z.string(),
  token_endpoint: z.string(),
  revocation_endpoint: z.string().nullable(),
  client_id: z.string(),
  /** Where the answer must come to. */
  redirect_uri: z.string(),
  /** RFC 8707: the same in both requests. */
  resource: z.string().nullable(),
  /** Whether the provider said at the start that its answers name it: one that says otherwise later is not believed. */
  names_issuer: z.boolean(),
  /** PKCE (RFC 7636). */
  verifier: z.string(),
  account: z.string(),
  asked_scope: z.string().nullable(),
  step_ups: z.int(),
  agent: z.string().nullable(),
  /** What of the server's settings it is for. */
  fit: z.string(),
  /** A path of ours. */
  return_to: z.string().nullable(),
});

export type Pending = Omit<z.infer<typeof pendingSchema>, "user_id" | "target" | "link_id">;

/** 256 bits in base64url: state, PKCE verifier. */
export const secretOf = (random: Random): string =>
  random.bytes(32).toBase64({ alphabet: "base64url", omitPadding: true });

/** Each state is drawn anew, and only its hash is kept. @returns refusal `too_many_attempts` */
export async function keepPending(
  { platform, tenant, vault }: Pick<Base, "platform" | "tenant" | "vault">,
  link: Link,
  state: string,
  pending: Pending,
): Promise<Result<void, LinkRefusal>> {
  const state_hash = await sha256(state);
  const { id: link_id, user_id, target } = link;
  const text = JSON.stringify({ ...pending, user_id, target, link_id });
  const sealed = await vault.seal(linkAttemptBinding(tenant.id, state_hash), text);
  const begun = await linkAttempts(openDatabase(platform.bindings.DB), tenant.id).begin({
    ...{ state_hash, link_id, user_id, server_id: target, pending: sealed },
    ...{ created_at: platform.ports.clock.now(), expires_at: link.expires_at },
  });
  return begun ? ok(undefined) : err(refusal("too_many_attempts"));
}

/** @returns undefined for a row that was changed */
export async function openPending(
  { tenant, vault }: Pick<Base, "tenant" | "vault">,
  { state_hash, pending, ...row }: Attempt,
): Promise<Pending | undefined> {
  const opened = await vault.open(linkAttemptBinding(tenant.id, state_hash), pending);
  if (!opened.ok) return undefined;
  const { user_id, target, link_id, ...kept } = pendingSchema.parse(JSON.parse(opened.value));
  const isAsSealed = user_id === row.user_id && target === row.server_id && link_id === row.link_id;
  return isAsSealed ? kept : undefined;
}
