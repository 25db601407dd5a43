/** What of a server's settings a connection is made for. */
import { addressOf, type Server } from "../registry/index.ts";

/**
 * What must be as it was when a person gave their credential, or it is not sent: kind, address, authorization server, client, and where it
 * stands in the request. Whoever may edit a server could otherwise have the credentials of others sent to a host of their own. Names,
 * hints and scopes may change. It is compared, so it is the settings themselves and no digest, of which two could be alike.
 * @returns what `ConnectionFacts.fit` holds
 */
export function fitOf({ url, authentication }: Pick<Server, "url" | "authentication">): string {
  return JSON.stringify([authentication.type, addressOf(url), ...placeOf(authentication)]);
}

/**
 * The same for a person's own of a stored credential: the addresses of the servers that the person was told of. An administrator who
 * points a header of another server at it does not get it before the person has seen that address.
 */
export const fitOfCredential = (servers: readonly Pick<Server, "url">[]): string =>
  JSON.stringify([...new Set(servers.map(({ url }) => addressOf(url)))].toSorted());

/** @param fit of `fitOfCredential`. It is not parsed, since a row may hold anything: no address has a quote in it, so none is part of another. */
export const isGivenTo = (fit: string, { url }: Pick<Server, "url">): boolean =>
  fit.includes(JSON.stringify(addressOf(url)));

function placeOf(authentication: Server["authentication"]): readonly unknown[] {
  switch (authentication.type) {
    case "oauth": {
      const { issuer, endpoints, client_id, resource } = authentication;
      const places = [endpoints?.authorization, endpoints?.token, endpoints?.revocation];
      return [issuer ?? null, ...places.map((place) => place ?? null), client_id ?? null, resource ?? null];
    }
    case "client_credentials": {
      const { issuer, token_endpoint, client_id, resource, audience, scopes } = authentication;
      // Nobody is asked again for these: a token of other scopes is simply another one.
      return [issuer ?? null, token_endpoint ?? null, client_id, resource ?? null, audience ?? null, scopes ?? null];
    }
    case "api_key_header":
      return [authentication.header.toLowerCase()];
    case "api_key_query":
      return [authentication.parameter];
    case "headers":
      return authentication.headers.map((header) => header.toLowerCase());
    case "none":
    case "passthrough":
    case "bearer":
    case "basic":
      return [];
  }
}
