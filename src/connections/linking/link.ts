/** An invitation to one person to connect one account: who, what and for whom is fixed when it is made, and sealed. */
import * as z from "zod";
import { openDatabase } from "../../db/index.ts";
import type { Visit } from "../../login/index.ts";
import { limits } from "../../limits.ts";
import { err, ok, type Result } from "../../ports.ts";
import type { Base } from "../types.ts";
import { linkAttempts } from "./attempts.ts";
import { recordRefusal } from "./link-event.ts";
import { refusal, type LinkRefusal } from "./refusals.ts";
import { connectPath, findServer, type Person } from "./reachable.ts";

/** What is asked for, by whom. */
export interface NewLink {
  readonly user_id: string;
  /** The one that was called. */
  readonly server_id: string;
  /** `credential:{id}` where a credential for one of its headers is missing. Left out: the server's own. */
  readonly target?: string | undefined;
  readonly account: string;
  /** Client id of the application that called. */
  readonly agent: string;
  /** Of a step-up: all that is to be asked for, separated by spaces. */
  readonly scope?: string | undefined;
  readonly step_ups?: number | undefined;
}

const linkSchema = z.strictObject({
  id: z.string(),
  user_id: z.string(),
  /** Left out where the person began by themselves. */
  server_id: z.string().optional(),
  /** Server id, or `credential:{id}`. */
  target: z.string(),
  account: z.string(),
  /** Left out where the person began by themselves. */
  agent: z.string().optional(),
  scope: z.string().optional(),
  step_ups: z.int().nonnegative(),
  expires_at: z.int(),
});

export type Link = Readonly<z.infer<typeof linkSchema>>;

const purpose = "connect-link";

/**
 * Makes a link; nothing is stored. It says nothing about anybody to who cannot open it, and signs nobody in.
 * @throws when the server is not in the snapshot of the call
 */
export async function mintLink(
  { platform, tenant, vault, snapshot }: Pick<Base, "platform" | "tenant" | "vault" | "snapshot">,
  { user_id, server_id, target = server_id, account, agent, scope, step_ups = 0 }: NewLink,
): Promise<{ url: string; id: string }> {
  const server = [...snapshot.servers.values()].find(({ id }) => id === server_id);
  if (server === undefined) throw new Error("A link must be for a server that exists.");
  const { clock, random } = platform.ports;
  const id = random.uuid();
  const expires_at = clock.now() + limits.link_ms;
  const more = scope === undefined ? {} : { scope };
  const payload = { id, user_id, server_id, target, account, agent, step_ups, expires_at, ...more };
  const link = await vault.sealHandle(purpose, tenant.id, payload, expires_at);
  return { url: `${tenant.origin}${connectPath(server.slug)}?${new URLSearchParams({ link })}`, id };
}

/** What a person begins by themselves, on a page of ours. */
export function ownLink({ platform }: Pick<Base, "platform">, person: Person, target: string, account: string): Link {
  const { clock, random } = platform.ports;
  const expires_at = clock.now() + limits.link_ms;
  return { id: random.uuid(), user_id: person.id, target, account, step_ups: 0, expires_at };
}

/**
 * Opens a link for whoever stands in front of it. Refused for everybody but the person that it was made for: an account that one person
 * connects must never become another one's.
 */
export async function openLink(visit: Visit, handle: string, person: Person): Promise<Result<Link, LinkRefusal>> {
  const { platform, tenant, vault } = visit;
  const opened = await vault.openHandle(purpose, tenant.id, handle);
  if (!opened.ok) {
    return err(refusal(opened.error.reason === "handle_expired" ? "link_expired" : "link_unknown"));
  }
  const link = linkSchema.parse(opened.value);
  if (link.user_id !== person.id) {
    await recordRefusal(visit, person, { link }, "link_not_yours");
    return err(refusal("link_not_yours"));
  }
  const server = findServer(visit, person, ({ id }) => id === link.server_id);
  if (server === undefined) return err(refusal("server_gone"));
  if (await linkAttempts(openDatabase(platform.bindings.DB), tenant.id).isUsed(link.id)) {
    return err(refusal("link_used", connectPath(server.slug)));
  }
  return ok(link);
}
