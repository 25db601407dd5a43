/** What a secret of the organisation was given for: the address of its server, and its use there. It is kept for no other. */
import type { Authentication } from "./authentication.ts";
import { canonicalHeader } from "./header-name.ts";
import type { OutboundHeader } from "./outbound-headers.ts";

/** The query may change. */
export function addressOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

interface Place {
  readonly url: string;
  readonly authentication: Authentication;
}

/** @returns what must be as it was when the credential was given. It is compared, so it is no digest, of which two could be alike. */
export const placeOfCredential = ({ url, authentication }: Place): string =>
  JSON.stringify([addressOf(url), useOf(authentication)]);

/** The same for the secret of one additional header. */
export const placeOfHeader = ({ url }: Pick<Place, "url">, recipe: OutboundHeader): string =>
  JSON.stringify([addressOf(url), useOfHeader(recipe)]);

/** Where a credential stands in a request, or which authorization server it is sent to, and for which client. */
function useOf(authentication: Authentication): readonly unknown[] {
  switch (authentication.type) {
    case "none":
    case "passthrough":
    case "bearer":
      return [authentication.type, holderOf(authentication)];
    case "basic":
      return ["basic", holderOf(authentication), authentication.username];
    case "api_key_header":
      return ["api_key_header", holderOf(authentication), canonicalHeader(authentication.header)];
    case "api_key_query":
      return ["api_key_query", holderOf(authentication), authentication.parameter];
    case "headers":
      return ["headers", ...authentication.headers.map(canonicalHeader)];
    case "oauth": {
      const { issuer, endpoints, client_id, client_authentication } = authentication;
      const places = [issuer, endpoints?.authorization, endpoints?.token, endpoints?.revocation];
      return ["oauth", ...places, client_id, formOf(client_authentication)];
    }
    case "client_credentials": {
      const { issuer, token_endpoint, client_id, client_authentication } = authentication;
      return ["client_credentials", issuer, token_endpoint, client_id, formOf(client_authentication)];
    }
  }
}

const holderOf = (authentication: Authentication): string =>
  "holder" in authentication ? authentication.holder : "organisation";

/** A secret may go from the header to the body; a key is no secret, and who takes none gets none. */
const formOf = (how: string | undefined): string => (how === "none" || how === "private_key_jwt" ? how : "secret");

function useOfHeader(recipe: OutboundHeader): readonly unknown[] {
  const name = canonicalHeader(recipe.name);
  if (recipe.source !== "service_token" && recipe.source !== "on_behalf_of") return [recipe.source, name];
  const { token_endpoint, client_id, client_authentication } = recipe;
  return [recipe.source, name, token_endpoint, client_id, formOf(client_authentication)];
}
