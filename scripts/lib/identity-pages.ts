/** The pages of the local identity provider: plain, and clear that nobody is asked for a password. */

export interface Person {
  /** Subject of the ID tokens. */
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly groups: readonly string[];
}

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escaped = (text: string): string => text.replace(/[&<>"']/g, (found) => escapes[found] ?? "");

const style = `
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 26rem; margin: 12vh auto; padding: 0 1rem; }
  h1 { font-size: 1.3rem; }
  button { display: block; width: 100%; margin: .6rem 0; padding: .7rem 1rem; font: inherit; text-align: left; cursor: pointer; }
  small { display: block; opacity: .75; }
`;

/** Forms lead back to the application over several redirects, so `form-action` is left open. */
export const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
  "x-content-type-options": "nosniff",
} as const;

const page = (title: string, content: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>${style}</style>
<main>
<h1>${escaped(title)}</h1>
${content}
</main>
</html>
`;

export function signInPage(action: string, people: readonly Person[]): string {
  const choices = people.map(
    ({ id, name, email, groups }) =>
      `<button name="person" value="${escaped(id)}">${escaped(name)}<small>${escaped(email)} · ${escaped(groups.join(", "))}</small></button>`,
  );
  return page(
    "Who are you?",
    `<p>This identity provider exists on this machine only, to try Gatehouse out. It asks nobody for a password.</p>
<form method="post" action="${escaped(action)}">
${choices.join("\n")}
</form>`,
  );
}

/** @param form of `oidc-provider`, with the id `op.logoutForm` */
export const signOutPage = (form: string): string =>
  page("Sign out?", `${form}\n<button form="op.logoutForm" name="logout" value="yes">Sign out everywhere</button>`);

export const signedOutPage = (): string => page("You are signed out", "<p>You can close this page.</p>");

export const errorPage = (error: string, description: string): string =>
  page("That did not work", `<p>${escaped(error)}: ${escaped(description)}</p>`);
