/**
 * What came out of a token endpoint. Vendors answer in many shapes; what is tolerated here is what one of them does, each named, and
 * the rest is a failure with a stable reason. Nothing of the text is repeated anywhere.
 */
import * as z from "zod";
import { limits } from "../../limits.ts";
import { ok, type JsonObject, type Result } from "../../ports.ts";
import { isTransientStatus, readJson } from "../../trust/index.ts";
import type { TokenFailure, TokenSet } from "../types.ts";
import { scopesOf } from "./lists.ts";
import { errorOf } from "./token-errors.ts";
import { passing, retryAt, wrong } from "./failures.ts";

export interface TokenAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  /** When it was asked for, in milliseconds since the Unix epoch: its life counts from then. */
  readonly asked_at: number;
}

/** It goes into a header as it is (RFC 6750 section 2.1 allows less). */
const token = z
  .string()
  .regex(/^[\x21-\x7e]+$/)
  .max(limits.foreignToken_chars);

const answerSchema = z.object({
  access_token: token,
  token_type: z.string().max(64).nullish(),
  expires_in: z.union([z.number(), z.string()]).nullish(),
  refresh_token: token.or(z.literal("")).nullish(),
  id_token: token.nullish().catch(undefined),
  scope: z.union([z.string().max(limits.scope_chars), z.array(z.string()).max(limits.scopes_count)]).nullish(),
});

/** `Bearer`, or nothing as some leave it out; Slack names whose token it is. A token of RFC 8693 that is no access token is `N_A`. */
const usableTypes: ReadonlySet<string> = new Set(["bearer", "user", "bot"]);

export function readTokenAnswer(answer: TokenAnswer, isExchange = false): Result<TokenSet, TokenFailure> {
  const { status, headers, bytes, asked_at } = answer;
  const read = membersOf(headers, bytes);
  const error = read.ok ? errorOf(status, read.value) : undefined;
  if (error !== undefined) {
    return error.kind === "passing" ? passing(error.reason, retryAt(headers, asked_at)) : { ok: false, error };
  }
  if (isTransientStatus(status)) return passing("token_status", retryAt(headers, asked_at));
  if (status !== 200 && status !== 201) return wrong("token_refused");
  if (!read.ok) return read;
  const parsed = answerSchema.safeParse(tokenMembers(read.value));
  if (!parsed.success) return wrong("token_answer_invalid");
  const { token_type, refresh_token, id_token, access_token, expires_in, scope } = parsed.data;
  const type = (token_type ?? "bearer").toLowerCase();
  if (!usableTypes.has(type) && !(isExchange && type === "n_a")) return wrong("token_type");
  const hasRefresh = refresh_token !== undefined && refresh_token !== null && refresh_token !== "";
  const room_chars = limits.foreignToken_chars - access_token.length - (hasRefresh ? refresh_token.length : 0);
  if (room_chars < 0) return wrong("token_answer_invalid");
  // Of no use but at sign-in, and the first to go where there is no room.
  const keepsIdToken = id_token !== undefined && id_token !== null && id_token.length <= room_chars;
  return ok({
    tokens: {
      ...{ kind: "tokens", access_token, expires_at: endOf(expires_in, asked_at) },
      ...(hasRefresh ? { refresh_token } : {}),
      ...(keepsIdToken ? { id_token } : {}),
    },
    scope: scopeOf(scope),
  });
}

/** GitHub and older servers answer with a form unless they are asked for JSON, and some even then. */
function membersOf(headers: Headers, bytes: Uint8Array): Result<JsonObject, TokenFailure> {
  const [type = ""] = (headers.get("content-type") ?? "").toLowerCase().split(";");
  const essence = type.trim();
  if (essence === "application/x-www-form-urlencoded") return formOf(new TextDecoder().decode(bytes));
  if (essence === "text/html") return wrong("token_answer_type");
  const json = readJson(bytes);
  return json.ok ? json : wrong(`token_${json.error}`);
}

function formOf(text: string): Result<JsonObject, TokenFailure> {
  const fields = [...new URLSearchParams(text)];
  const names = new Set(fields.map(([name]) => name));
  return names.size === fields.length && !names.has("__proto__")
    ? ok(Object.fromEntries(fields))
    : wrong("token_duplicate_key");
}

/** Slack puts the token of a person one level deeper when an app asks for one (`oauth.v2.access`). */
function tokenMembers(members: JsonObject): JsonObject {
  const { access_token, ok: isOk, authed_user: person } = members;
  const isNested = access_token === undefined && isOk === true && typeof person === "object" && person !== null;
  return isNested && !Array.isArray(person) ? person : members;
}

/**
 * Some send a string. What is no life at all (0, less, not a number) tells nothing: then the token is tried on, which a server ends with
 * 401 if need be. Longer than a year is a year.
 */
function endOf(expires_in: number | string | null | undefined, asked_at: number): number | null {
  const life_s =
    typeof expires_in === "string" ? Number(expires_in === "" ? Number.NaN : expires_in) : (expires_in ?? Number.NaN);
  if (Number.isNaN(life_s) || life_s <= 0) return null;
  return asked_at + Math.floor(Math.min(life_s * 1000, limits.tokenLife_ms_outermost));
}

/** GitHub and Slack write commas, some a list; as it is kept, it has the form of RFC 6749 section 3.3. */
function scopeOf(scope: string | readonly string[] | null | undefined): string | null {
  if (scope === undefined || scope === null) return null;
  const words = typeof scope === "string" ? scope.split(/\s/.test(scope.trim()) ? /[\s,]+/ : /,/) : scope;
  return scopesOf(words.map((word) => word.trim()).filter((word) => word !== "")).join(" ");
}
