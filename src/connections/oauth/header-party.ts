/** The token endpoint that a header recipe names. */
import type { OutboundHeader } from "../../registry/index.ts";
import type { ClientSecret } from "../../registry/index.ts";
import type { Party } from "../types.ts";

type TokenRecipe = Extract<OutboundHeader, { source: "service_token" | "on_behalf_of" }>;

/** The endpoint is an administrator's word, and the name of the party as well: assertions are addressed to it (RFC 7523 section 3). */
export function headerParty(recipe: TokenRecipe, secret: ClientSecret): Party {
  const { token_endpoint, client_id, client_authentication, resource } = recipe;
  return {
    ...{ issuer: token_endpoint, token_endpoint, client_id, client_authentication, secret },
    ...{ names_issuer: false, resource: resource ?? null, how: "configured" },
  };
}
