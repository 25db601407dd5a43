/** The provider's answer as it comes back through the browser. */
import * as z from "zod";
import { err, ok, type Result } from "../ports.ts";
import type { ProviderMetadata } from "./discovery.ts";
import type { SignInFailure } from "./failures.ts";
import { namesIssuer } from "./mix-up.ts";

export interface Callback {
  readonly state: string;
  readonly issuer: string | undefined;
  readonly code: string | undefined;
  /** RFC 6749 section 4.1.2.1; its description is nobody's text that we know, and is never shown. */
  readonly error: string | undefined;
}

const stateSchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

/** @returns a failure when a parameter is there twice: what one reader skips another takes */
export function readCallback({ searchParams }: URL): Result<Callback, SignInFailure> {
  const names = ["state", "iss", "code", "error"] as const;
  if (names.some((name) => searchParams.getAll(name).length > 1)) return err("response_invalid");
  const [state, issuer, code, error] = names.map((name) => searchParams.get(name) ?? undefined);
  if (state === undefined || state === "") return err("state_missing");
  if (!stateSchema.safeParse(state).success) return err("state_unknown");
  return ok({ state, issuer, code, error });
}

/**
 * Whether the answer comes from the provider that was asked, before anything of it is used: a code of one provider never goes to
 * another, and no error text of a stranger counts.
 * @param expected whether the provider said at the start that its answers name it
 * @see RFC 9207 section 2.4
 */
export function checkIssuer(
  { issuer }: Callback,
  metadata: ProviderMetadata,
  expected: boolean,
): Result<void, SignInFailure> {
  if (issuer === undefined) {
    return expected || namesIssuer(metadata) ? err("issuer_missing") : ok(undefined);
  }
  return issuer === metadata.issuer ? ok(undefined) : err("issuer_mismatch");
}

const refusals: ReadonlyMap<string, SignInFailure> = new Map([
  ["access_denied", "access_denied"],
  // OpenID Connect Core 1.0 section 3.1.2.6: what `prompt=none` gets when a page would be needed.
  ["login_required", "login_required"],
  ["interaction_required", "login_required"],
  ["consent_required", "login_required"],
  ["account_selection_required", "login_required"],
  ["temporarily_unavailable", "provider_unreachable"],
]);

/** @returns the code, or what the provider refused */
export function readCode({ code, error }: Callback): Result<string, SignInFailure> {
  if (error !== undefined) return err(refusals.get(error) ?? "provider_error");
  return code === undefined || code === "" ? err("response_invalid") : ok(code);
}
