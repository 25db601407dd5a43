/** Renders a page: the one place that makes HTML of it. */
import { html } from "hono/html";
import type { Child } from "hono/jsx";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { PortalContext } from "./context.ts";
import { Page, type Visitor } from "./design/index.ts";
import type { PageKind } from "./headers.ts";

export interface Shown {
  readonly title: string;
  readonly kind: PageKind;
  /** 200 without it. */
  readonly status?: ContentfulStatusCode;
  readonly width?: "narrow" | "wide";
  readonly visitor?: Visitor | undefined;
  readonly path?: string;
}

export async function show(c: PortalContext, page: Shown, content: Child): Promise<Response> {
  const { kind, status = 200, title, width = "wide", visitor, path = "" } = page;
  c.set("pageKind", kind);
  const whole = (
    <Page title={title} width={width} visitor={visitor} path={path} hasForm={kind !== "plain"}>
      {content}
    </Page>
  );
  return c.html(html`<!doctype html>${whole}`, status);
}

/**
 * Always 303: a browser must not send a form, with all that is in it, on to where it is redirected.
 * @see RFC 9700 section 4.12
 */
export function seeOther(location: string, cookies: readonly string[] = []): Response {
  const headers = new Headers({ location, "cache-control": "no-store" });
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  return new Response(null, { status: 303, headers });
}
