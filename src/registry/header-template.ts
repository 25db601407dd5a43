/** Values of `custom` headers: text of the administrator's with places for who calls and what is called. */

/** Everything that may stand between braces. */
export const placeholders = ["user.id", "user.email", "client.id", "server.slug"] as const;
export type Placeholder = (typeof placeholders)[number];

/** What stands between braces is judged whatever it is, so that a slip of the pen is not sent as it is. */
const braces = /\{\{([^{}]*)\}\}/g;

const isPlaceholder = (name: string): name is Placeholder => placeholders.some((known) => known === name);

/** @returns the first text between braces that is no placeholder, or braces that do not match; undefined when all are known */
export function unknownPlaceholder(template: string): string | undefined {
  for (const [whole, name = ""] of template.matchAll(braces)) if (!isPlaceholder(name)) return whole;
  return /\{\{|\}\}/.exec(template.replaceAll(braces, ""))?.[0];
}

export function placeholdersOf(template: string): ReadonlySet<Placeholder> {
  return new Set([...template.matchAll(braces)].flatMap(([, name = ""]) => (isPlaceholder(name) ? [name] : [])));
}

/**
 * In one pass from the left: what a value holds is not looked at again, so a person cannot put a placeholder into their name.
 * @param values of every placeholder that the template holds
 */
export function fillTemplate(template: string, values: Readonly<Partial<Record<Placeholder, string>>>): string {
  return template.replaceAll(braces, (whole, name: string) => (isPlaceholder(name) ? (values[name] ?? whole) : whole));
}
