/** What is asked for. */
import type { Server } from "../../registry/index.ts";
import type { Challenge, Party } from "../types.ts";
import { offlineAccess } from "./find.ts";
import { scopesOf, splitScope } from "./lists.ts";

/**
 * What an administrator set, else what the server's challenge says, else all that the server supports, else nothing. `offline_access` is
 * asked for when the authorization server lists it, and only then; an administrator who sets scopes sets that one, too.
 * @param asked of a step-up: what was asked for before and what is wanted now, to which everything else is added
 * @see MCP 2026-07-28 authorization, "Scope Selection Strategy" and "Step-Up Authorization Flow"; SEP-2207, SEP-2350
 */
export function scopesFor(server: Server, party: Party, challenge?: Challenge, asked?: string): readonly string[] {
  const { authentication } = server;
  const configured =
    authentication.type === "oauth" || authentication.type === "client_credentials" ? authentication.scopes : undefined;
  const challenged = challenge?.scope === undefined ? undefined : splitScope(challenge.scope);
  const supported = party.scopes_supported ?? [];
  const wanted = splitScope(asked ?? "");
  const found = configured ?? challenged ?? supported;
  if (configured !== undefined)
    return scopesOf([...configured, ...wanted, ...(asked === undefined ? [] : (challenged ?? []))]);
  const base = asked === undefined ? found : [...wanted, ...(challenged ?? [])];
  const plain = base.filter((scope) => scope !== offlineAccess);
  // Alone it would stand for "nothing but that", where no scope stands for what the server gives by itself.
  const isOffline = plain.length > 0 && supported.includes(offlineAccess);
  return scopesOf(isOffline ? [...plain, offlineAccess] : plain);
}
