/** The one builder of what goes back to a client through the browser. */
import type { Visit } from "../../login/index.ts";

export interface Answerable {
  /** Registered and trusted. */
  readonly redirect_uri: string;
  readonly state: string | undefined;
}

/**
 * The redirect URI with the answer appended to its query: what it holds already stays as it is written, since the client compares it.
 * Every answer, an error as well, names its issuer, so that a client of several servers cannot be mixed up.
 * @param parameters `code`, or `error` and `error_description`
 * @see RFC 6749 section 4.1.2, RFC 9207 section 2
 */
export function answerRedirect(
  { tenant }: Pick<Visit, "tenant">,
  { redirect_uri, state }: Answerable,
  parameters: Readonly<Record<string, string>>,
): string {
  const answer = new URLSearchParams(parameters);
  if (state !== undefined) answer.set("state", state);
  answer.set("iss", tenant.origin);
  const joint = !redirect_uri.includes("?") ? "?" : /[?&]$/.test(redirect_uri) ? "" : "&";
  return `${redirect_uri}${joint}${answer.toString()}`;
}
