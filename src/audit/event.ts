/**
 * What is recorded. Events carry no secret and no argument value in the clear: argument values are HMACs under a key of
 * the tenant, so that equal values can be found and none can be read.
 */
import * as z from "zod";
import { limits } from "../limits.ts";

const text = z.string().max(limits.auditText_chars);

const actor = z.object({
  /** The person, by user id; absent when no person is identified. */
  user: text.optional(),
  user_email: text.optional(),
  /** What the person allowed the agent, by grant id. */
  grant: text.optional(),
  /** The agent: a client id, or `administrator:{token id}`, or `development`. */
  agent: text.optional(),
  /** What the client says of itself. Never verified, never a base for decisions. */
  client_name: text.optional(),
});

const base = z.object({
  /** UUID version 7. Consumers drop repeated ids. */
  id: z.uuid(),
  tenant: text,
  /** Milliseconds since the Unix epoch. */
  time: z.int().nonnegative(),
  actor,
});

const target = z.object({
  /** JSON-RPC method. */
  method: text,
  /** The endpoint: `/mcp` or `/mcp/{slug}`. */
  endpoint: text,
  /** Slug of the upstream server; absent when the request goes to several or to none. */
  server: text.optional(),
  server_id: text.optional(),
  /** Tool, prompt, resource URI or task, by the upstream's own name. */
  name: text.optional(),
  protocol_version: text.optional(),
});

/** A value seen in a call's arguments: its JSON type, its size in characters of JSON and its HMAC. */
const argument = z.object({ type: text, size_chars: z.int(), hmac: text });

export const requestEvent = base.extend({
  type: z.literal("mcp.request"),
  target,
  decision: z.object({
    effect: z.enum(["allow", "deny"]),
    /** The policy behind it, for instance `allow-list:{client id}` or `development:allow-all`. */
    policy: text,
    reason: text,
  }),
  request: z.object({
    size_bytes: z.int(),
    /** A quarter of the characters: the usual estimate of what a text costs a language model. */
    token_weight: z.int(),
    arguments: z.record(text, argument).optional(),
  }),
  /** Country and network of the caller, as the platform sees them. */
  source: z.object({ country: text.optional(), network: text.optional() }),
  /** Past this time the outcome is overdue and becomes `unknown`. Milliseconds since the Unix epoch. */
  deadline: z.int(),
});

export const responseEvent = base.extend({
  type: z.literal("mcp.response"),
  /** The id of the `mcp.request` event that this is the outcome of. */
  request_id: z.uuid(),
  target,
  outcome: z.object({
    status: z.enum([
      "ok",
      "tool_error",
      "error",
      "denied",
      "input_required",
      "task",
      "cancelled",
      "interrupted",
      "unknown",
    ]),
    /** Stable reason of a failure. */
    reason: text.optional(),
    /** JSON-RPC code of an error. */
    code: z.int().optional(),
  }),
  duration_ms: z.int().nonnegative(),
  response: z.object({ size_bytes: z.int(), token_weight: z.int() }),
  /** For requests that go to several upstreams: what each of them did. */
  upstreams: z.record(text, text).optional(),
  /** Ids of the connections whose credentials the upstream got: as whom it was done there. */
  connections: z.array(text).optional(),
  /** Methods that the server asked the client for in the middle of it, such as `sampling/createMessage`, in order. */
  asked: z.array(text).optional(),
});

/** A change of configuration, a set-up, or the use of the audit log itself. */
export const adminEvent = base.extend({
  type: z.literal("admin.change"),
  action: text,
  resource: text,
  resource_id: text.optional(),
  /** Names of the fields that changed; never their values. */
  fields: z.array(text).optional(),
  outcome: z.enum(["ok", "refused"]),
  reason: text.optional(),
});

/** What people and clients do to get and to lose access: sign-in, consent, tokens, revocation. */
export const authEvent = base.extend({
  type: z.literal("auth.activity"),
  /** `{thing}.{verb}`, for instance `sign_in.complete`, `consent.give`, `authorization.block`, `token.refresh`, `grant.revoke`. */
  action: text,
  outcome: z.enum(["ok", "refused"]),
  /** Stable; for refusals and revocations. */
  reason: text.optional(),
  redirect_uri: text.optional(),
  resource: text.optional(),
  /** Id of the identity provider. */
  provider: text.optional(),
  source: z.object({ country: text.optional(), network: text.optional() }),
});

/** Failures of callers that nobody knows, summed over a window. */
export const unknownCallersEvent = base.extend({
  type: z.literal("auth.failed"),
  reason: text,
  network: text,
  count: z.int().positive(),
  window_ms: z.int(),
});

export const auditEvent = z.discriminatedUnion("type", [
  requestEvent,
  responseEvent,
  adminEvent,
  authEvent,
  unknownCallersEvent,
]);

export type AuditEvent = z.infer<typeof auditEvent>;
export type RequestEvent = z.infer<typeof requestEvent>;
export type ResponseEvent = z.infer<typeof responseEvent>;
export type AdminEvent = z.infer<typeof adminEvent>;
export type AuthEvent = z.infer<typeof authEvent>;
export type Actor = z.infer<typeof actor>;
export type Target = z.infer<typeof target>;
export type Outcome = ResponseEvent["outcome"];
