/** Where a person goes after signing in. It travels as a sealed handle and leads nowhere but to pages of this tenant. */
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import type { Visit } from "./visit.ts";

const purpose = "return-path";

/** @returns whether the text is a path of ours as it stands: browsers read `//host`, `/\host` and `/<tab>/host` as another host */
export function isOwnPath(path: string, origin: string): boolean {
  if (path.length > limits.returnPath_chars || !/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(path)) return false;
  const url = URL.parse(path, origin);
  return url !== null && url.origin === origin && url.href === origin + path;
}

/**
 * A handle for a link to the sign-in page. What is no path of ours becomes the start page; a path past the bound is not kept, and the
 * handle says so.
 */
export function sealReturn(visit: Visit, path: string): Promise<string> {
  const { platform, tenant, vault } = visit;
  const payload = path.length > limits.returnPath_chars ? {} : { path: isOwnPath(path, tenant.origin) ? path : "/" };
  const expires_at = platform.ports.clock.now() + limits.authorizationRequest_ms;
  return vault.sealHandle(purpose, tenant.id, payload, expires_at);
}

/** @returns the path; `return_unknown` for whatever is no handle of this tenant, or an expired one */
export async function openReturn(
  visit: Visit,
  handle: string,
): Promise<Result<string, "return_unknown" | "return_too_long">> {
  const opened = await visit.vault.openHandle(purpose, visit.tenant.id, handle);
  if (!opened.ok) return err("return_unknown");
  const path = opened.value["path"];
  if (path === undefined) return err("return_too_long");
  return typeof path === "string" && isOwnPath(path, visit.tenant.origin) ? ok(path) : err("return_unknown");
}
