/** Refusals that have nothing to do with an authorization or a sign-in. */
import { isDatabaseFailure } from "../../db/index.ts";
import type { ErrorCode, Failure } from "../../errors.ts";
import type { PortalContext } from "../context.ts";
import { showError, type ErrorDetails } from "./error-page.tsx";

const forgedForm: ErrorDetails = {
  status: 403,
  reason: "form_refused",
  title: "This form was not accepted",
  what: "What you sent did not come from a page that was shown to you here. Nothing was changed.",
  you: "Go back, load the page again, and try once more. This also happens after signing out in another tab.",
};

const notSignedIn: ErrorDetails = {
  status: 403,
  reason: "not_signed_in",
  title: "You are not signed in",
  what: "Your session has ended, so nothing was changed.",
  you: "Sign in and try again.",
  action: { href: "/login", label: "Sign in" },
};

const notStaff: ErrorDetails = {
  status: 403,
  reason: "role_insufficient",
  title: "This page is for administrators",
  what: "You are signed in, but your role does not include this.",
  you: "Ask an administrator if you need it. Your own access is under My access.",
  action: { href: "/me", label: "My access" },
};

const defect: ErrorDetails = {
  status: 500,
  reason: "internal",
  title: "Something went wrong here",
  what: "This page met a defect of ours.",
  you: "Try again. If it stays this way, tell your administrator the reference below.",
};

const notFound: ErrorDetails = {
  status: 404,
  reason: "not_found",
  title: "There is nothing here",
  what: "What you are looking for does not exist, or it is not yours.",
  you: "Check the address, or start again from the first page.",
  action: { href: "/", label: "Start page" },
};

const unavailable: ErrorDetails = {
  status: 503,
  reason: "unavailable",
  title: "Gatehouse cannot do this right now",
  what: "Something that is needed for it could not be reached.",
  you: "Load the page again to see how things stand, and try once more in a minute.",
};

export const showForgedForm = (c: PortalContext): Promise<Response> => showError(c, forgedForm);
export const showNotSignedIn = (c: PortalContext): Promise<Response> => showError(c, notSignedIn);
export const showNotStaff = (c: PortalContext): Promise<Response> => showError(c, notStaff);
export const showNotFound = (c: PortalContext): Promise<Response> => showError(c, notFound);
export const showUnavailable = (c: PortalContext): Promise<Response> => showError(c, unavailable);

const bodies: Partial<Record<ErrorCode, Pick<ErrorDetails, "status" | "title" | "what">>> = {
  payload_too_large: { status: 413, title: "This was too much", what: "The form is larger than Gatehouse reads." },
  body_timeout: { status: 408, title: "This took too long", what: "The form did not arrive in time." },
  unsupported_media_type: {
    status: 415,
    title: "This is not a form",
    what: "This address takes application/x-www-form-urlencoded and nothing else.",
  },
};

/** A body that could not be read as a form. */
export function showUnreadable(c: PortalContext, failed: Failure): Promise<Response> {
  const text = bodies[failed.code] ?? {
    status: 400,
    title: "The form could not be read",
    what: "What arrived is not a complete form.",
  };
  return showError(c, { ...text, reason: failed.code, you: "Go back and try once more." });
}

/** Answers what was thrown: a database that does not answer is expected at times, anything else is a defect. */
export async function showThrown(c: PortalContext, cause: Error): Promise<Response> {
  const expected = isDatabaseFailure(cause);
  c.var.visit.platform.log("error", expected ? "The database did not answer" : "A page failed unexpectedly", { cause });
  return showError(c, expected ? unavailable : defect);
}
