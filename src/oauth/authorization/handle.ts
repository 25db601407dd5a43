/** An authorization request on its way through sign-in and consent: sealed, so that nobody changes it and nothing is stored for it. */
import * as z from "zod";
import type { Visit } from "../../login/index.ts";
import { limits } from "../../limits.ts";
import type { AuthorizationCheck, AuthorizationRequest } from "../types.ts";
import { admitClient } from "./check.ts";

const purpose = "authorization-request";

const requestSchema = z.strictObject({
  id: z.uuid(),
  client_id: z.string(),
  redirect_uri: z.string(),
  state: z.string().optional(),
  scope: z.string(),
  resource: z.string(),
  code_challenge: z.string(),
  prompt: z.enum(["none", "login", "consent"]).optional(),
  max_age: z.int().nonnegative().optional(),
  requested_at: z.int(),
});

/** A handle of URL-safe characters that opens for this tenant and for `limits.authorizationRequest_ms` after the request. */
export async function sealAuthorization(visit: Visit, request: AuthorizationRequest): Promise<string> {
  const { state, prompt, max_age, ...always } = request;
  const payload = {
    ...always,
    ...(state === undefined ? {} : { state }),
    ...(prompt === undefined ? {} : { prompt }),
    ...(max_age === undefined ? {} : { max_age }),
  };
  const expires_at = request.requested_at + limits.authorizationRequest_ms;
  return visit.vault.sealHandle(purpose, visit.tenant.id, payload, expires_at);
}

/** The request, when its client and its redirect URI still stand. */
export async function openAuthorization(
  visit: Visit,
  handle: string,
): Promise<Extract<AuthorizationCheck, { kind: "request" | "stopped" }>> {
  const opened = await visit.vault.openHandle(purpose, visit.tenant.id, handle);
  if (!opened.ok) {
    const isExpired = opened.error.reason === "handle_expired";
    return { kind: "stopped", stop: { reason: isExpired ? "request_expired" : "request_invalid" } };
  }
  const { state, prompt, max_age, ...always } = requestSchema.parse(opened.value);
  const request = { ...always, state, prompt, max_age };
  const admitted = await admitClient(visit, request.client_id, request.redirect_uri);
  return admitted.ok ? { kind: "request", request, client: admitted.value } : { kind: "stopped", stop: admitted.error };
}
