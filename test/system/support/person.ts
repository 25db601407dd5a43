/** A person with a browser that has cookies and follows redirects, and no script: enough for pages that work without JavaScript. */

export interface Visited {
  readonly url: URL;
  readonly status: number;
  readonly text: string;
}

export interface Person {
  /** Follows redirects until a page answers, or one leads to where `stopAt` says. */
  visit(url: URL | string, form?: Readonly<Record<string, string>>, stopAt?: (url: URL) => boolean): Promise<Visited>;
}

const redirects_count = 20;

export function createPerson(): Person {
  // By host and port: stricter than browsers, for which cookies know no ports.
  const jars = new Map<string, Map<string, string>>();

  function keep({ host }: URL, headers: Headers): void {
    const jar = jars.get(host) ?? new Map<string, string>();
    jars.set(host, jar);
    for (const line of headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "" || /max-age=0/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
  }

  return {
    async visit(first, form, stopAt = () => false) {
      let url = new URL(first);
      let body = form === undefined ? undefined : new URLSearchParams(form);
      for (let hop = 0; hop < redirects_count; hop += 1) {
        const cookie = [...(jars.get(url.host) ?? [])].map(([name, value]) => `${name}=${value}`).join("; ");
        const answer = await fetch(url, {
          method: body === undefined ? "GET" : "POST",
          headers: { cookie, ...(body === undefined ? {} : { origin: url.origin }) },
          redirect: "manual",
          ...(body === undefined ? {} : { body }),
        });
        keep(url, answer.headers);
        const location = answer.headers.get("location");
        if (location === null) return { url, status: answer.status, text: await answer.text() };
        url = new URL(location, url);
        body = undefined;
        if (stopAt(url)) return { url, status: answer.status, text: "" };
      }
      throw new Error(`More than ${redirects_count} redirects, the last to ${url.href}.`);
    },
  };
}

/** Presses a name on the page of the local identity provider (`scripts/lib/identity-provider.ts`). */
export async function pressName(person: Person, page: Visited, id: string): Promise<Visited> {
  const action = /<form method="post" action="([^"]+)"/.exec(page.text)?.[1];
  if (action === undefined) throw new Error(`There is no form at ${page.url.href} (HTTP ${page.status}).`);
  return person.visit(new URL(action, page.url), { person: id });
}

const unescaped = (text: string): string =>
  text.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&amp;", "&");

/**
 * What the form of a page sends when it is left as it is: hidden fields, and the boxes that are checked, the last of each name.
 * @param action the address of the form, as the page has it
 * @returns undefined where the page has no such form
 */
export function fieldsOf({ text }: Visited, action: string): Record<string, string> | undefined {
  const form = text.split(/<form\b/).find((part) => part.includes(`action="${action}"`));
  if (form === undefined) return undefined;
  const inputs = [...form.slice(0, form.indexOf("</form>")).matchAll(/<input\b[^>]*>/g)].map(([input]) => input);
  const sent = inputs.filter((input) => !/type="(?:checkbox|radio)"/.test(input) || /\schecked\b/.test(input));
  const attribute = (input: string, name: string): string =>
    unescaped(new RegExp(String.raw`\s${name}="([^"]*)"`).exec(input)?.[1] ?? "");
  return Object.fromEntries(sent.map((input) => [attribute(input, "name"), attribute(input, "value")]));
}
