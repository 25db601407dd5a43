/** The admin API, as pages use it: answers parsed, refusals as pages. */
import type * as z from "zod";
import { limits } from "../../limits.ts";
import type { WebSession } from "../../login/index.ts";
import { err, ok, type Result } from "../../ports.ts";
import type { PortalContext } from "../context.ts";
import { showError } from "../errors/error-page.tsx";
import { showNotFound, showNotStaff, showUnavailable } from "../errors/refusals.ts";
import { readSubmission, type Submission } from "../form.ts";
import { signInPath } from "../visitor.ts";
import { problemSchema } from "./answers.ts";

/** @returns what the API answered, or the page that says why there is nothing to show */
export async function ask<T extends z.ZodType>(
  c: PortalContext,
  session: WebSession,
  path: string,
  schema: T,
): Promise<Result<z.output<T>, Response>> {
  const answer = await c.var.callAdmin(session, "GET", path);
  return answer.status === 200 ? ok(schema.parse(answer.body)) : err(await showRefusal(c, answer.status));
}

/** @returns nothing when it is done, a sentence for the form when its input is refused, else a page */
export async function change(
  c: PortalContext,
  session: WebSession,
  method: "POST" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
): Promise<Result<void, { readonly sentence: string } | Response>> {
  const answer = await c.var.callAdmin(session, method, path, body);
  if (answer.status < 300) return ok(undefined);
  const problem = problemSchema.safeParse(answer.body);
  if (problem.success && (answer.status === 409 || answer.status === 422)) {
    return err({ sentence: problem.data.errors?.[0]?.message ?? problem.data.detail ?? problem.data.title });
  }
  return err(await showRefusal(c, answer.status));
}

function showRefusal(c: PortalContext, status: number): Promise<Response> {
  if (status === 404 || status === 422) return showNotFound(c);
  return status === 403 ? showNotStaff(c) : showUnavailable(c);
}

/** A form of an administrator. Auditors look and change nothing. */
export async function readAdministratorForm(c: PortalContext): Promise<Result<Submission, Response>> {
  const submitted = await readSubmission(c);
  if (!submitted.ok || submitted.value.session.user.role === "administrator") return submitted;
  return err(await showNotStaff(c));
}

export const isFresh = (c: PortalContext, { authenticated_at }: WebSession): boolean =>
  c.var.visit.platform.ports.clock.now() - authenticated_at <= limits.freshSignIn_ms;

/** What opens the house wider asks for more than a session that somebody left open. @param path where to come back to */
export async function showStale(c: PortalContext, path: string): Promise<Response> {
  return showError(c, {
    status: 403,
    reason: "sign_in_too_old",
    title: "Please sign in again",
    what: `This change needs a sign-in that is at most ${limits.freshSignIn_ms / 60_000} minutes old. Nothing was changed.`,
    you: "Sign in again, and you come back to this page.",
    action: { href: await signInPath(c.var.visit, path, { again: true }), label: "Sign in again" },
  });
}
