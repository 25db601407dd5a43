/** What a person has ticked on the consent page, kept while they connect an account on the way. */
import * as z from "zod";
import type { Visit } from "../../login/index.ts";
import { limits } from "../../limits.ts";
import { sha256 } from "../../sha256.ts";

const purpose = "consent-choices";

/** What the choices belong to: they mean nothing for another request, another person or other servers. */
export interface ChoicesOf {
  /** Of the authorization request. */
  readonly request_id: string;
  readonly user_id: string;
  /** Ids, in the order in which they are offered. */
  readonly offered: readonly string[];
}

export interface Choices {
  /** Ids of offered servers. */
  readonly chosen: ReadonlySet<string>;
  readonly remember: boolean;
}

const keptSchema = z.strictObject({
  request_id: z.string(),
  user_id: z.string(),
  /** SHA-256 of what was offered. */
  offered: z.string(),
  /** `1` or `0` for each of them: 200 ids would not fit into an address. */
  ticked: z.string().regex(/^[01]*$/),
  remember: z.boolean(),
});

const digestOf = (ids: readonly string[]): Promise<string> => sha256(ids.join(" "));

/** Sealed: nobody makes a link that ticks boxes for somebody else. */
export async function sealChoices(
  { platform, tenant, vault }: Visit,
  { request_id, user_id, offered }: ChoicesOf,
  { chosen, remember }: Choices,
): Promise<string> {
  const ticked = offered.map((id) => (chosen.has(id) ? "1" : "0")).join("");
  const payload = { request_id, user_id, offered: await digestOf(offered), ticked, remember };
  const expires_at = platform.ports.clock.now() + limits.authorizationRequest_ms;
  return vault.sealHandle(purpose, tenant.id, payload, expires_at);
}

/** @returns undefined where they were made for something else, so that the person must choose anew */
export async function openChoices(
  { tenant, vault }: Visit,
  { request_id, user_id, offered }: ChoicesOf,
  handle: string,
): Promise<Choices | undefined> {
  const opened = await vault.openHandle(purpose, tenant.id, handle);
  if (!opened.ok) return undefined;
  const kept = keptSchema.parse(opened.value);
  const isOfThis = kept.request_id === request_id && kept.user_id === user_id;
  if (!isOfThis || kept.offered !== (await digestOf(offered))) return undefined;
  return { chosen: new Set(offered.filter((_id, index) => kept.ticked[index] === "1")), remember: kept.remember };
}
