/** `/login`: straight on to the identity provider, or the choice between several. */
import type { Child } from "hono/jsx";
import { beginSignIn, currentSession, openReturn, type SignInFailure } from "../../login/index.ts";
import type { PortalContext } from "../context.ts";
import { ButtonLink, Card } from "../design/index.ts";
import { showError } from "../errors/error-page.tsx";
import { signInTexts } from "../errors/sign-in-texts.ts";
import { single } from "../form.ts";
import { seeOther, show } from "../show.tsx";

/** Where to go afterwards comes sealed, from a page of ours; an address in the URL is not looked at. */
export async function login(c: PortalContext): Promise<Response> {
  const { visit } = c.var;
  const query = new URL(c.req.url).searchParams;
  const to = single(query, "to");
  const opened = to === undefined ? undefined : await openReturn(visit, to);
  if (opened?.ok === false && opened.error === "return_too_long") {
    return showSignInFailure(c, "return_too_long", undefined);
  }
  const return_to = opened?.ok === true ? opened.value : "/";
  const again = single(query, "prompt") === "login";
  if (!again && (await currentSession(visit, c.req.raw.headers)) !== undefined) return seeOther(return_to);
  const provider_id = single(query, "provider");
  const wish = {
    return_to,
    ...(provider_id === undefined ? {} : { provider_id }),
    ...(again ? { prompt: "login" as const } : {}),
  };
  const begun = await beginSignIn(visit, wish, c.req.raw.headers);
  switch (begun.kind) {
    case "redirect":
      return seeOther(begun.location, begun.cookies);
    case "choose":
      return choose(c, begun.providers, { to, again });
    case "failed":
      return showSignInFailure(c, begun.reason, undefined);
  }
}

function choose(
  c: PortalContext,
  providers: readonly { readonly id: string; readonly name: string }[],
  kept: { readonly to: string | undefined; readonly again: boolean },
): Promise<Response> {
  const linkOf = (provider: string): string => {
    const query = new URLSearchParams({
      provider,
      ...(kept.to === undefined ? {} : { to: kept.to }),
      ...(kept.again ? { prompt: "login" } : {}),
    });
    return `/login?${query}`;
  };
  return show(
    c,
    { title: "Sign in", kind: "onward", width: "narrow" },
    <Card>
      <h1>Sign in</h1>
      <p>Choose where your organisation keeps your account.</p>
      {providers.map(({ id, name }): Child => (
        <ButtonLink href={linkOf(id)}>
          Continue with <bdi>{name}</bdi>
        </ButtonLink>
      ))}
    </Card>,
  );
}

const statuses: Partial<Record<SignInFailure, 403 | 429 | 502 | 503>> = {
  no_provider: 503,
  provider_unreachable: 502,
  too_many_sign_ins: 429,
  not_admitted: 403,
  domain_not_admitted: 403,
  user_disabled: 403,
  access_denied: 403,
  unavailable: 503,
};

/** @param retry address of another try */
export function showSignInFailure(
  c: PortalContext,
  reason: SignInFailure,
  retry: string | undefined,
): Promise<Response> {
  return showError(c, {
    ...signInTexts[reason],
    status: statuses[reason] ?? 400,
    reason,
    action: retry === undefined ? undefined : { href: retry, label: "Try again" },
  });
}
