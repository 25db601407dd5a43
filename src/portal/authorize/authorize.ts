/** `/oauth/authorize`: the authorization endpoint. It decides what it can without asking anybody, and sets no cookie. */
import { currentSession } from "../../login/index.ts";
import { checkAuthorization, sealAuthorization } from "../../oauth/index.ts";
import type { PortalContext } from "../context.ts";
import { showStopped } from "../errors/stopped.tsx";
import { readFields } from "../form.ts";
import { seeOther } from "../show.tsx";
import { signInPath } from "../visitor.ts";
import { standingOf } from "./standing.ts";

/** @see RFC 6749 section 3.1 (GET must be supported, POST may be) */
export async function authorizeByGet(c: PortalContext): Promise<Response> {
  return authorize(c, new URL(c.req.url).searchParams);
}

export async function authorizeByPost(c: PortalContext): Promise<Response> {
  const fields = await readFields(c);
  return fields.ok ? authorize(c, fields.value) : fields.error;
}

async function authorize(c: PortalContext, parameters: URLSearchParams): Promise<Response> {
  const { visit } = c.var;
  const checked = await checkAuthorization(visit, parameters);
  if (checked.kind === "stopped") return showStopped(c, checked.stop);
  if (checked.kind === "refused") return seeOther(checked.location);
  const { request, client } = checked;
  const session = await currentSession(visit, c.req.raw.headers);
  const standing = await standingOf(visit, session, request, client);
  switch (standing.kind) {
    case "redirect":
      return seeOther(standing.location);
    case "stopped":
      return showStopped(c, standing.stop);
    case "sign_in":
      return seeOther(await signInPath(visit, await consentPath(c, request), standing));
    case "ask":
      return seeOther(await consentPath(c, request));
  }
}

async function consentPath(c: PortalContext, request: Parameters<typeof sealAuthorization>[1]): Promise<string> {
  return `/oauth/consent?${new URLSearchParams({ request: await sealAuthorization(c.var.visit, request) })}`;
}
