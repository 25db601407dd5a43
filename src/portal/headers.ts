/**
 * The headers of every answer of the portal. No page has a script, an inline style or anything of another origin, so what is
 * allowed is what is used: one stylesheet, and images of our own.
 * @see CSP Level 3; security cases CO-07, CO-08, CO-24, AS-22, AD-05
 */
import { createMiddleware } from "hono/factory";
import type { PortalEnv } from "./context.ts";

/**
 * plain: has no form. forms: its forms stay here. onward: its form, or what follows it, leads to the client that asked or to an
 * identity provider.
 */
export type PageKind = "plain" | "forms" | "onward";

/**
 * - `form-action`: Chromium applies it to every hop of the redirects after a form, and the callback of a client may redirect on to
 *   anywhere. So the pages whose forms lead away go without it: `default-src 'none'` stays, and no markup of others is ever ours.
 * - `Referrer-Policy`: `no-referrer` makes browsers send `Origin: null` with a form, which is refused. Pages with forms say
 *   `same-origin` in their markup, which tells other origins as little.
 * - `Cross-Origin-Opener-Policy`: web clients open the authorization in a pop-up and wait for its callback to speak to them.
 *   `same-origin` on the way would cut the two apart for good.
 */
const kinds = {
  plain: { formAction: "form-action 'none'", opener: "same-origin" },
  forms: { formAction: "form-action 'self'", opener: "same-origin" },
  onward: { formAction: undefined, opener: "unsafe-none" },
} as const satisfies Record<PageKind, object>;

const contentSecurity = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
];

const permissions = [
  "accelerometer",
  "camera",
  "display-capture",
  "geolocation",
  "gyroscope",
  "magnetometer",
  "microphone",
]
  .concat(["midi", "payment", "publickey-credentials-get", "screen-wake-lock", "usb", "xr-spatial-tracking"])
  .map((feature) => `${feature}=()`)
  .join(", ");

/** Runs around every route of the portal, so that no page can be without. */
export const securityHeaders = createMiddleware<PortalEnv>(async function securityHeaders(c, next) {
  await next();
  const isPage = c.res.headers.get("content-type")?.startsWith("text/html") === true;
  // What is rendered without saying so gets the strictest.
  const { formAction, opener } = kinds[(isPage ? c.var.pageKind : undefined) ?? "plain"];
  const set = (name: string, value: string): void => c.res.headers.set(name, value);
  set("x-content-type-options", "nosniff");
  set("referrer-policy", "no-referrer");
  if (!c.res.headers.has("cache-control")) set("cache-control", "no-store");
  if (!isPage) return;
  const policy = formAction === undefined ? contentSecurity : [...contentSecurity, formAction];
  set("content-security-policy", policy.join("; "));
  set("x-frame-options", "DENY");
  set("cross-origin-opener-policy", opener);
  set("cross-origin-resource-policy", "same-origin");
  set("permissions-policy", permissions);
});
