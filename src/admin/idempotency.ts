/**
 * `Idempotency-Key`: a request that is repeated because its answer was lost is not done twice. Keys belong to a tenant and a
 * caller; the remembered answer is sealed, since it may hold a token that is shown once.
 * @see Stripe API, "Idempotent requests"; draft-ietf-httpapi-idempotency-key-header-07
 */
import { and, eq, inArray, isNull, lt, or, sql } from "drizzle-orm";
import * as z from "zod";
import { auditEvent } from "../audit/index.ts";
import { idempotency_keys, openDatabase } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import type { AdminDependencies } from "./dependencies.ts";

/** An answer as it goes out, and as it is remembered. */
const answerSchema = z.object({
  status: z.int(),
  headers: z.record(z.string(), z.string()),
  body: z.string().nullable(),
});

export type Answer = z.output<typeof answerSchema>;

/** The event goes along, so that a repetition records the same event with the same id. */
const rememberedSchema = z.object({ answer: answerSchema, event: auditEvent.optional() });

export type Remembered = z.output<typeof rememberedSchema>;

/** `status` of a row whose change is stored but not yet announced or recorded. No answer with this status is remembered. */
const unsettled = 503;

export type Attempt =
  /** The first request: do it. */
  | { readonly state: "fresh" }
  /** The change is stored, but was not announced or recorded: do only that, then answer. */
  | { readonly state: "unsettled"; readonly remembered: Remembered }
  /** Done: answer. */
  | { readonly state: "done"; readonly remembered: Remembered };

export interface IdempotentRequest {
  begin(): Promise<Result<Attempt, Failure>>;
  /** Remembers what the first request did. `settled`: it is announced and recorded, or there is nothing to announce. */
  remember(remembered: Remembered, state: "in flight" | "unsettled" | "settled"): Promise<void>;
  /** Nothing was done: the key is free again. */
  release(): Promise<void>;
}

/** Printable ASCII: the key is compared byte by byte and never normalised. */
export function readKey(headers: Headers): Result<string | undefined, Failure> {
  const key = headers.get("idempotency-key");
  if (key === null) return ok(undefined);
  if (key.length <= limits.idempotencyKey_chars && /^[\x21-\x7e]+$/.test(key)) return ok(key);
  return err(
    failure("bad_header", `Idempotency-Key must have 1 to ${limits.idempotencyKey_chars} visible ASCII characters`, {
      reason: "idempotency_key",
    }),
  );
}

/** What makes two requests the same: method, target, precondition and body. */
export async function hashRequest(request: Request, body: Uint8Array): Promise<string> {
  const { pathname, search } = new URL(request.url);
  const head = [request.method, pathname + search, request.headers.get("if-match")];
  const prefix = new TextEncoder().encode(`${JSON.stringify(head)}\n`);
  const all = new Uint8Array(prefix.byteLength + body.byteLength);
  all.set(prefix);
  all.set(body, prefix.byteLength);
  const digest = await crypto.subtle.digest("SHA-256", all);
  return new Uint8Array(digest).toBase64({ alphabet: "base64url", omitPadding: true });
}

/** @param principal who uses the key, so that two callers never meet */
export function idempotentRequest(
  admin: AdminDependencies,
  principal: string,
  key: string,
  hash: string,
  now: number,
): IdempotentRequest {
  const database = openDatabase(admin.database);
  const rows = idempotency_keys;
  const one = and(eq(rows.tenant_id, admin.tenant), eq(rows.principal, principal), eq(rows.key, key));
  const ours = and(one, eq(rows.created_at, now));
  const binding = (created_at: number) => ({
    purpose: "idempotency",
    tenant: admin.tenant,
    record: JSON.stringify([principal, key]),
    field: "response",
    revision: created_at,
  });
  let claimed_at = now;

  async function claim(): Promise<boolean> {
    const expired = and(eq(rows.tenant_id, admin.tenant), lt(rows.created_at, now - limits.idempotency_ms));
    // A first request that crashed before it changed anything; one that crashed later left its response.
    const abandoned = and(
      isNull(rows.status),
      isNull(rows.response),
      lt(rows.created_at, now - limits.idempotencyLease_ms),
    );
    const oldest = database
      .select({ rowid: sql`rowid` })
      .from(rows)
      .where(expired)
      .limit(limits.idempotencySweep_count);
    const [, inserted] = await database.batch([
      database.delete(rows).where(inArray(sql`rowid`, oldest)),
      database
        .insert(rows)
        .values({ tenant_id: admin.tenant, principal, key, request_hash: hash, created_at: now })
        .onConflictDoUpdate({
          target: [rows.tenant_id, rows.principal, rows.key],
          set: { request_hash: hash, status: null, response: null, created_at: now },
          ...taken(or(lt(rows.created_at, now - limits.idempotency_ms), abandoned)),
        })
        .returning({ key: rows.key }),
    ]);
    return inserted.length > 0;
  }

  return {
    async begin() {
      if (await claim()) return ok({ state: "fresh" });
      const [row] = await database.select().from(rows).where(one);
      if (row === undefined) return err(inFlight);
      if (row.request_hash !== hash) return err(otherRequest);
      const crashed = row.response !== null && row.created_at < now - limits.idempotencyLease_ms;
      if (row.response === null || (row.status === null && !crashed)) return err(inFlight);
      const opened = await admin.vault.open(binding(row.created_at), row.response);
      if (!opened.ok) return opened;
      claimed_at = row.created_at;
      const remembered = rememberedSchema.parse(JSON.parse(opened.value));
      return ok({ state: row.status === null || row.status === unsettled ? "unsettled" : "done", remembered });
    },

    async remember(remembered, state) {
      const response = await admin.vault.seal(binding(claimed_at), JSON.stringify(remembered));
      const status = { "in flight": null, unsettled, settled: remembered.answer.status }[state];
      await database
        .update(rows)
        .set({ status, response })
        .where(and(one, eq(rows.created_at, claimed_at)));
    },

    async release() {
      await database.delete(rows).where(ours);
    },
  };
}

/** drizzle takes `setWhere` only where it is defined. */
function taken(condition: ReturnType<typeof or>) {
  return condition === undefined ? {} : { setWhere: condition };
}

const inFlight = failure("conflict", "The first request with this Idempotency-Key is still under way. Try again.", {
  reason: "idempotency_in_flight",
  headers: { "retry-after": "1" },
});
const otherRequest = failure("idempotency_mismatch", undefined, { reason: "idempotency_mismatch" });
