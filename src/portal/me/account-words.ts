/** What people connect, in words: an account at a provider, or a key. */
import { defaultAccount, type LinkKind } from "../../connections/index.ts";

export type Thing = "account" | "key";

export const thingOf = (kind: LinkKind): Thing => (kind === "oauth" ? "account" : "key");

/** The name that the person gave it. The first has none: the word that is stored for it would be taken for "the default one". */
export const accountName = (account: string, thing: Thing): string =>
  account === defaultAccount ? `Your ${thing}` : account;

/** A scope as a list for people. `offline_access` is no permission: it lets Gatehouse stay connected while the person is away. */
export function permissionWords(scopes: readonly string[]): string {
  const permissions = scopes.filter((scope) => scope !== "offline_access").join(", ");
  if (permissions.length === scopes.join(", ").length) return permissions;
  return permissions === "" ? "stay connected" : `${permissions}; stay connected`;
}
