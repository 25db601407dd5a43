/** What the admin API answers, as far as these pages show it. Parsed, so that a page never shows what it does not know. */
import * as z from "zod";
import { connectionStates } from "../../connections/index.ts";

const time = z.int().nonnegative();

const agentSchema = z.object({
  /** The client id in base64url: what stands for it in paths. */
  key: z.string(),
  /** Client id. */
  id: z.string(),
  kind: z.enum(["registered", "document", "dynamic", "unknown"]),
  name: z.string(),
  owner: z.object({ id: z.string(), name: z.string().nullable(), email: z.string().nullable() }).nullable(),
  first_seen_at: time,
  last_seen_at: time,
  blocked_at: time.nullable(),
  blocked_reason: z.string().nullable(),
  disabled_at: time.nullable(),
});

export type Agent = z.infer<typeof agentSchema>;

const useSchema = z.object({ server: z.string(), name: z.string(), calls: z.int(), denied: z.int(), last_at: time });

const grantSchema = z.object({
  id: z.string(),
  user: z.object({ id: z.string(), name: z.string().nullable(), email: z.string().nullable() }),
  servers: z.array(z.string()),
  resource: z.string(),
  created_at: time,
  last_used_at: time.nullable(),
  expires_at: time,
  living: z.boolean(),
});

export type AgentGrant = z.infer<typeof grantSchema>;

const redirectSchema = z.object({
  id: z.string(),
  uri: z.string(),
  note: z.string(),
  created_at: time,
  created_by: z.string(),
});

const blockedSchema = z.object({
  client_id: z.string(),
  client_name: z.string(),
  redirect_uri: z.string(),
  attempts: z.int(),
  first_at: time,
  last_at: time,
  /** The narrowest entry that would let it through. */
  trust: z.string(),
});

export type BlockedRedirect = z.infer<typeof blockedSchema>;

const connectionSchema = z.object({
  id: z.string(),
  /** Null: the organisation's own. */
  user_id: z.string().nullable(),
  target: z.string(),
  /** Slug; null where the target is no server, or one that is gone. */
  server: z.string().nullable(),
  account: z.string(),
  state: z.enum(connectionStates),
  /** Stable: why it must be connected again, or what is wrong with it although calls use it. */
  reason: z.string().nullable(),
  /** Null for a key that somebody pasted. */
  issuer: z.string().nullable(),
  created_at: time,
});

export type ListedConnection = z.infer<typeof connectionSchema>;

const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next: z.string().nullable().default(null) });

export const agentsAnswer = pageOf(agentSchema);
export const agentAnswer = agentSchema.extend({ uses: z.array(useSchema) });
export const connectionsAnswer = pageOf(connectionSchema);
export const grantsAnswer = pageOf(grantSchema);
export const redirectsAnswer = pageOf(redirectSchema);
export const blockedAnswer = pageOf(blockedSchema);

/** @see RFC 9457; `errors` as `admin/validation.ts` writes them */
export const problemSchema = z.object({
  title: z.string(),
  detail: z.string().optional(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});
