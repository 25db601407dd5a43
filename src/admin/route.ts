/** One row of the table of routes: what the pipeline checks, what the handler gets, and what the OpenAPI document says. */
import type * as z from "zod";
import type { Failure } from "../errors.ts";
import type { Result } from "../ports.ts";
import type { AdminDependencies } from "./dependencies.ts";

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

/** A request that passed every check of the pipeline. */
export interface Call<Query, Body> {
  readonly admin: AdminDependencies;
  /** The one time of this request: milliseconds since the Unix epoch. */
  readonly now: number;
  readonly query: Query;
  readonly body: Body;
  /** The members that the body really has, as opposed to those that a default filled in. */
  readonly given: ReadonlySet<string>;
  /** The same of a member that is an object; empty for one that is none. */
  givenIn(member: string): ReadonlySet<string>;
  readonly ifMatch: string | undefined;
  /** A path parameter as its schema gives it. @throws when the path has none of that name */
  id(name: ParameterName): string;
}

/** Path parameters have few names, so that events find the id of the resource. */
export type ParameterName = "id" | "tokenId";

export type Parameters = Readonly<Partial<Record<ParameterName, z.ZodType<string>>>>;

/** What a handler did. The pipeline announces, records and answers it. */
export interface Done {
  readonly status: 200 | 201 | 204;
  /** JSON; members that are undefined are left out. */
  readonly body?: Readonly<Record<string, unknown>>;
  readonly etag?: string;
  /** URL of what was created. @see RFC 9110 section 10.2.2 */
  readonly location?: string;
  readonly resourceId?: string;
  /** Names of the fields that changed, for the audit event; never values. */
  readonly fields?: readonly string[];
  /** Takes the change back where it cannot be announced or recorded. Only set-up has it: its token would be lost. */
  readonly undo?: () => Promise<void>;
  /** The agent that the event names where the request had no principal. */
  readonly agent?: string;
}

export interface Description {
  readonly summary: string;
  readonly description?: string;
  /** Schema of the answer; absent for 204. */
  readonly answer?: z.ZodType;
  readonly status: Done["status"];
}

/**
 * `open`: anyone, no secrets. `setup`: no credential, the body proves the right. `administrator`: everything else.
 */
export type Access = "open" | "setup" | "administrator";

export interface Route {
  readonly method: Method;
  /** Relative to the mount point, parameters as `:id` and `:tokenId`. */
  readonly path: string;
  /** `{resource}.{verb}`: the action of the audit event and the operationId. */
  readonly action: string;
  readonly access: Access;
  /** Reading that is recorded as well. Mutating routes always are. */
  readonly audited?: boolean;
  readonly has: Description;
  /** Path parameters that are no UUIDs. */
  readonly params?: Parameters;
  /** Also where a path parameter is no id: as the handler says it of one that exists nowhere. */
  readonly notFound?: Failure;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** Runs after the body is read and before an Idempotency-Key is looked at. */
  readonly authorize?: (call: Call<never, never>) => Promise<Result<void, Failure>>;
  readonly run: (call: Call<never, never>) => Promise<Result<Done, Failure>>;
}

interface TypedRoute<Query extends z.ZodType, Body extends z.ZodType> {
  /** `administrator` where nothing else is said. */
  readonly access?: Access;
  readonly audited?: boolean;
  readonly has: Description;
  readonly params?: Parameters;
  readonly notFound?: Failure;
  readonly query?: Query;
  readonly body?: Body;
  readonly authorize?: (call: Call<z.output<Query>, z.output<Body>>) => Promise<Result<void, Failure>>;
  readonly run: (call: Call<z.output<Query>, z.output<Body>>) => Promise<Result<Done, Failure>>;
}

/** Checks the handler against its schemas, then forgets them: the pipeline hands over what those schemas parsed. */
export function route<Query extends z.ZodType, Body extends z.ZodType>(
  method: Method,
  path: string,
  action: string,
  typed: TypedRoute<Query, Body>,
): Route {
  return { access: "administrator", ...typed, method, path, action };
}

export const isMutating = (method: string): boolean => method !== "GET" && method !== "HEAD" && method !== "OPTIONS";
