/**
 * The way of an admin request: access, body, schema, Idempotency-Key, change, announcement, event, answer.
 *
 * The event follows the change. An event written first would be a lie whenever the change fails, and two events for each
 * change would double the log to close one gap: a crash between the two steps. A repetition with the same Idempotency-Key
 * closes that gap as well, since the event is remembered with the answer. What cannot be recorded is never answered with
 * success.
 */
import * as z from "zod";
import { isDatabaseFailure } from "../db/index.ts";
import { isJson, readBody } from "../body.ts";
import { failure, toProblem, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Json, type JsonObject, type Result } from "../ports.ts";
import { parseBody } from "./body.ts";
import { changeEvent } from "./change-event.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { hashRequest, idempotentRequest, readKey, type Answer } from "./idempotency.ts";
import { isMutating, type Call, type Route } from "./route.ts";
import { checkAccess } from "./access.ts";
import { perform, performOnce, unrecorded } from "./perform.ts";
import { invalidField, validate } from "./validation.ts";

/** A request as Hono routed it. */
export interface Incoming {
  readonly admin: AdminDependencies;
  readonly request: Request;
  readonly params: Readonly<Record<string, string>>;
}

/** Answers a request for `route`, with exactly one audit event where the method changes something. */
export async function handle(route: Route, incoming: Incoming): Promise<Response> {
  const now = incoming.admin.ports.clock.now();
  const answered = await proceed(route, incoming, now).catch(databaseFailure);
  if (answered.ok) return toResponse(answered.value);
  return refuse(route, answered.error, incoming, now);
}

/** Also recorded as a refusal: whoever reads the log must see that somebody tried, whatever D1 kept of it. */
function databaseFailure(thrown: unknown): Result<never, Failure> {
  if (!isDatabaseFailure(thrown)) throw thrown;
  const detail =
    "The database did not answer. Whether a change is stored is not known: read the resource before you repeat the request.";
  return err(failure("unavailable", detail, { reason: "database", headers: { "retry-after": "1" } }));
}

/** Answers a request that no route takes: first whether the caller may ask at all, then 404 or 405. */
export async function handleUnrouted(failed: Failure, incoming: Incoming): Promise<Response> {
  const now = incoming.admin.ports.clock.now();
  const access = checkAccess("administrator", incoming.request.method, incoming.admin);
  return refuse({ action: "unknown" }, access.ok ? failed : access.error, incoming, now);
}

async function proceed(route: Route, incoming: Incoming, now: number): Promise<Result<Answer, Failure>> {
  const { admin, request } = incoming;
  const access = checkAccess(route.access, request.method, admin);
  if (!access.ok) return access;
  const key = isMutating(request.method) ? readKey(request.headers) : ok(undefined);
  if (!key.ok) return key;
  const body = await bodyOf(request, admin);
  if (!body.ok) return body;
  const call = checkCall(route, incoming, body.value, now);
  if (!call.ok) return call;
  const authorized = (await route.authorize?.(call.value)) ?? ok(undefined);
  if (!authorized.ok) return authorized;
  if (key.value === undefined) return perform(route, call.value);

  const caller = admin.principal?.token_id ?? admin.principal?.id ?? route.access;
  const hash = await hashRequest(request, body.value);
  return performOnce(route, call.value, idempotentRequest(admin, caller, key.value, hash, now));
}

/**
 * A body must be declared as JSON, which a page of another origin cannot do without a preflight: in development mode, where
 * no credential is asked for, this is what keeps foreign pages out. DELETE needs a preflight by itself.
 */
async function bodyOf(request: Request, admin: AdminDependencies): Promise<Result<Uint8Array<ArrayBuffer>, Failure>> {
  if (!isMutating(request.method)) return ok(new Uint8Array());
  const type = request.headers.get("content-type");
  if (!isJson(type) && !(request.method === "DELETE" && type === null)) return err(failure("unsupported_media_type"));
  return readBody(request, limits.adminBody_bytes, admin.ports.clock);
}

const noMembers = z.strictObject({});

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const namesOf = (value: Json | undefined): ReadonlySet<string> => new Set(isObject(value) ? Object.keys(value) : []);

/** A UUID in lower case, where the route says nothing else. */
const uuidSchema = z.uuid().transform((text) => text.toLowerCase());

function parseId({ params = {} }: Pick<Route, "params">, name: string, text: string): string | undefined {
  const own = name === "id" || name === "tokenId" ? params[name] : undefined;
  return (own ?? uuidSchema).safeParse(text).data;
}

function checkCall(
  route: Route,
  { admin, request, params }: Incoming,
  bytes: Uint8Array,
  now: number,
): Result<Call<never, never>, Failure> {
  const ids = new Map<string, string>();
  for (const [name, text] of Object.entries(params)) {
    const id = parseId(route, name, text);
    // What no id looks like exists in no tenant.
    if (id === undefined) return err(route.notFound ?? failure("not_found"));
    ids.set(name, id);
  }
  const search = [...new URL(request.url).searchParams];
  const seen = new Set<string>();
  const repeated = search.find(([name]) => seen.size === seen.add(name).size);
  if (repeated !== undefined) return err(invalidField(repeated[0], "is given twice"));
  const query = validate(route.query ?? noMembers, Object.fromEntries(search));
  if (!query.ok) return query;
  const raw = parseBody(bytes);
  if (!raw.ok) return raw;
  const body = validate(route.body ?? noMembers, raw.value);
  if (!body.ok) return body;
  return ok({
    admin,
    now,
    // Parsed by the very schemas that `route()` typed the handler with.
    query: query.value as never,
    body: body.value as never,
    given: namesOf(raw.value),
    givenIn: (member) => namesOf(isObject(raw.value) ? raw.value[member] : undefined),
    ifMatch: request.headers.get("if-match") ?? undefined,
    id(name) {
      const value = ids.get(name);
      if (value === undefined) throw new Error(`The path ${route.path} has no parameter ${name}.`);
      return value;
    },
  });
}

/** A refusal of a known caller is recorded; those of unknown callers are counted where they are admitted. */
async function refuse(
  route: Pick<Route, "action" | "params">,
  failed: Failure,
  incoming: Incoming,
  now: number,
): Promise<Response> {
  const { admin, request, params } = incoming;
  if (failed.reason === unrecorded || admin.principal === undefined || !isMutating(request.method)) {
    return toProblem(failed);
  }
  const name = params["tokenId"] === undefined ? "id" : "tokenId";
  const event = changeEvent(admin, now, {
    action: route.action,
    outcome: "refused",
    reason: failed.reason ?? failed.code,
    resourceId: parseId(route, name, params[name] ?? ""),
  });
  const recorded = await admin.record(event);
  return toProblem(
    recorded.ok ? failed : failure("audit_unavailable", "The refusal of this request could not be recorded"),
  );
}

function toResponse(answer: Answer): Response {
  return new Response(answer.body, {
    status: answer.status,
    headers: { "cache-control": "no-store", "x-content-type-options": "nosniff", ...answer.headers },
  });
}
