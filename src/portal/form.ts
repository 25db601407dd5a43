/** Forms: how their bytes become fields, and whether they come from a page that we showed to this person. */
import { readBody } from "../body.ts";
import { failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { checkForm, type WebSession } from "../login/index.ts";
import { err, ok, type Result } from "../ports.ts";
import type { PortalContext } from "./context.ts";
import { showForgedForm, showNotSignedIn, showUnreadable } from "./errors/refusals.ts";
import { sessionOf } from "./visitor.ts";

const formType = /^application\/x-www-form-urlencoded[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i;

/** @returns the fields, or the page that says why there are none: 415 for another content type, 413, 408, 400 */
export async function readFields(c: PortalContext): Promise<Result<URLSearchParams, Response>> {
  const { clock } = c.var.visit.platform.ports;
  if (!formType.test(c.req.header("content-type") ?? "")) {
    return err(await showUnreadable(c, failure("unsupported_media_type")));
  }
  const body = await readBody(c.req.raw, limits.tokenBody_bytes, clock);
  if (!body.ok) return err(await showUnreadable(c, body.error));
  return ok(new URLSearchParams(new TextDecoder().decode(body.value)));
}

export interface Submission {
  readonly session: WebSession;
  readonly fields: URLSearchParams;
}

/** A form that changes something. @returns it with its session, or a page: 403 without one or when the form is not ours */
export async function readSubmission(c: PortalContext): Promise<Result<Submission, Response>> {
  const fields = await readFields(c);
  if (!fields.ok) return fields;
  const { visit } = c.var;
  const session = await sessionOf(visit, c.req.raw.headers);
  if (session === undefined) return err(await showNotSignedIn(c));
  if (!(await checkForm(visit, session, c.req.raw, fields.value))) return err(await showForgedForm(c));
  return ok({ session, fields: fields.value });
}

/** @returns the value of a field that is there once; undefined for none and for two */
export function single(fields: URLSearchParams, name: string): string | undefined {
  const [value, ...others] = fields.getAll(name);
  return others.length === 0 ? value : undefined;
}
