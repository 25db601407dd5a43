/** Keys that people paste: tried at the server first, then kept like anything else. */
import * as z from "zod";
import { openDatabase } from "../../db/index.ts";
import type { Failure } from "../../errors.ts";
import type { Visit } from "../../login/index.ts";
import { err, ok, type Result } from "../../ports.ts";
import { secretValueSchema, type Server } from "../../registry/index.ts";
import { sha256 } from "../../sha256.ts";
import type { HeldCredential } from "../../vault/index.ts";
import { linkAttempts } from "./attempts.ts";
import { linkedTarget } from "./begin.ts";
import type { Link } from "./link.ts";
import { secretOf } from "./pending.ts";
import { refusal, type LinkRefusal } from "./refusals.ts";
import type { Person } from "./reachable.ts";
import { recordRefusal } from "./link-event.ts";
import { storeLink } from "./store-link.ts";
import type { LinkTarget } from "./targets.ts";

/** Sends one harmless request to the server with what was pasted. Failure `upstream_credential`: the server does not take it. */
export type CheckServer = (server: Server, held: HeldCredential, person: Person) => Promise<Result<void, Failure>>;

export interface PastedFields {
  readonly value: string;
  /** Of `basic` only. */
  readonly username?: string | undefined;
}

const username = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^:\p{Cc}]+$/u);
const password = z
  .string()
  .min(1)
  .max(1024)
  .regex(/^\P{Cc}+$/u);

const value = secretValueSchema;

/** @returns what is to be kept; undefined when it cannot be what the server wants */
function parsePasted(kind: LinkTarget["kind"], fields: PastedFields): HeldCredential | undefined {
  const parsed =
    kind === "basic"
      ? z.object({ username, value: password }).safeParse(fields)
      : z.object({ value }).safeParse({ value: fields.value.trim() });
  return parsed.success ? { kind: "secret", ...parsed.data } : undefined;
}

/**
 * Keeps a key. Its text goes to the server that it is for and into the vault, and into nothing else.
 * @returns refusal `key_invalid`, `key_refused` or `key_unchecked` for the form, or whatever else is in the way
 */
export async function pasteCredential(
  visit: Visit,
  person: Person,
  link: Link,
  fields: PastedFields,
  checkServer: CheckServer,
): Promise<Result<LinkTarget, LinkRefusal>> {
  const found = await linkedTarget(visit, person, link);
  if (!found.ok) return found;
  const target = found.value;
  if (target.kind === "oauth") return err(refusal("nothing_to_connect"));
  const held = parsePasted(target.kind, fields);
  if (held === undefined) return err(refusal("key_invalid"));
  if (target.server !== undefined) {
    const checked = await checkServer(target.server, held, person);
    if (!checked.ok) {
      const refused = checked.error.code === "upstream_credential";
      await recordRefusal(visit, person, { link, target }, checked.error.reason ?? checked.error.code);
      return err(refusal(refused ? "key_refused" : "key_unchecked"));
    }
  }
  const used = await useLink(visit, link);
  if (used === undefined) return err(refusal("link_used", target.path));
  const stored = await storeLink(visit, person, link, target, {
    ...{ credential: held, issuer: "", token_endpoint: "", revocation_endpoint: null, client_id: "" },
    ...{ scope: null, asked_scope: null, fit: target.fit, step_ups: 0 },
  });
  if (!stored.ok) {
    await used.forget();
    return stored;
  }
  return ok(target);
}

/** @returns how to take it back; undefined when somebody was first */
async function useLink({ platform, tenant }: Visit, link: Link): Promise<{ forget(): Promise<void> } | undefined> {
  const { clock, random } = platform.ports;
  const attempts = linkAttempts(openDatabase(platform.bindings.DB), tenant.id);
  const state_hash = await sha256(secretOf(random));
  const begun = await attempts.beginUsed({
    ...{ state_hash, link_id: link.id, user_id: link.user_id, server_id: link.target, pending: "" },
    ...{ created_at: clock.now(), expires_at: link.expires_at },
  });
  return begun ? { forget: () => attempts.forget(state_hash) } : undefined;
}
