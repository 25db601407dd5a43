/**
 * Sign-ins that are under way. What is needed when the person is back is sealed in a cookie of the browser that began it; we keep
 * nothing, so that nobody can fill anything up by beginning. What we keep is which ones were used.
 */
import * as z from "zod";
import { openDatabase } from "../db/index.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { useOnce } from "../trust/index.ts";
import type { SignInFailure } from "./failures.ts";
import type { Visit } from "./visit.ts";

/** Nobody but us may know or change it until the person is back. */
export const pendingSchema = z.strictObject({
  /** SHA-256 of `state`. */
  state_hash: z.string(),
  provider_id: z.string(),
  nonce: z.string(),
  /** PKCE. */
  verifier: z.string(),
  return_to: z.string(),
  /** The provider's, at the start: a sign-in does not outlive a change of it. */
  revision: z.int(),
  /** Whether the provider said that its answers name it: one that says otherwise later is not believed. */
  names_issuer: z.boolean(),
  begun_at: z.int(),
  /** Whether the provider was asked to let the person prove anew who they are. */
  prompted: z.boolean(),
  /** Whether the provider must tell when the person proved it. */
  needs_auth_time: z.boolean(),
  /** If it tells, it must have been at this time or later; milliseconds since the Unix epoch. */
  authenticated_after: z.int().optional(),
});

export type Pending = z.infer<typeof pendingSchema>;

const purpose = "sign-in";

export function sealPending({ vault, tenant }: Visit, { authenticated_after, ...always }: Pending): Promise<string> {
  const payload = { ...always, ...(authenticated_after === undefined ? {} : { authenticated_after }) };
  return vault.sealHandle(purpose, tenant.id, payload, always.begun_at + limits.signIn_ms);
}

/** @param sealed what this browser holds for the state */
export async function openPending(
  { vault, tenant }: Visit,
  state_hash: string,
  sealed: string | undefined,
): Promise<Result<Pending, SignInFailure>> {
  if (sealed === undefined) return err("state_unknown");
  const opened = await vault.openHandle(purpose, tenant.id, sealed);
  if (!opened.ok) return err(opened.error.reason === "handle_expired" ? "state_expired" : "state_unknown");
  const pending = pendingSchema.parse(opened.value);
  return pending.state_hash === state_hash ? ok(pending) : err("other_browser");
}

/** @returns true for exactly one caller */
export function usePending({ platform, tenant }: Visit, { state_hash, begun_at }: Pending): Promise<boolean> {
  const over = begun_at + limits.signIn_ms + limits.clockSkew_ms;
  const database = openDatabase(platform.bindings.DB);
  return useOnce(database, tenant.id, "sign_in", state_hash, over, platform.ports.clock.now());
}
