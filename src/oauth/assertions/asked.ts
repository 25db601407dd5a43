/** A request for a token by an assertion. */
import type { GrantType } from "../types.ts";

export const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer" satisfies GrantType;

export interface AssertionRequest {
  readonly headers: Headers;
  readonly parameters: URLSearchParams;
  readonly assertion: string;
  /** As the assertion says, unverified. */
  readonly issuer: string;
}

/** Whether a client authenticates beside the assertion; then that has to hold too. @see RFC 7521 section 4.1 */
export const presentsCredentials = ({ headers, parameters }: AssertionRequest): boolean =>
  headers.has("authorization") || parameters.has("client_secret") || parameters.has("client_assertion");
