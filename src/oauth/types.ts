/** What the parts of the authorization server tell each other. */
import type { StopReason } from "./stop.ts";

export type GrantType =
  | "authorization_code"
  | "refresh_token"
  | "client_credentials"
  | "urn:ietf:params:oauth:grant-type:jwt-bearer";

export type ClientAuthentication = "none" | "client_secret_basic" | "client_secret_post" | "private_key_jwt";

/** A client as this tenant knows it, whichever way it became known. */
export interface OAuthClient {
  /** `client_id` as it is sent: a UUID, or the URL of a metadata document. */
  readonly id: string;
  /** registered: by an administrator. document: Client ID Metadata Document. dynamic: RFC 7591. */
  readonly kind: "registered" | "document" | "dynamic";
  /** Cleaned for display: no control, bidirectional or zero-width characters, at most `limits.clientName_chars`. */
  readonly name: string;
  /** Host that answers for it: that of the document; undefined for self-registered ones, whose name anybody can choose. */
  readonly domain: string | undefined;
  readonly redirect_uris: readonly string[];
  readonly authentication: ClientAuthentication;
  /** For private_key_jwt: exactly one of the two. */
  readonly keys: { readonly jwks?: JsonWebKeySet; readonly jwks_uri?: string } | undefined;
  readonly grant_types: ReadonlySet<GrantType>;
  /** Registered confidential clients only: people are not asked for consent. */
  readonly pre_approved: boolean;
  /** Registered clients only: which foreign issuers speak for it (workload identity). */
  readonly workloads: readonly Workload[];
}

export interface JsonWebKeySet {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/** A workload whose tokens stand for a client: an issuer, and claims that must all be there with exactly this value. */
export interface Workload {
  /** Issuer of the workload's tokens; its keys come from its OpenID discovery document unless `jwks_uri` says otherwise. */
  readonly issuer: string;
  readonly jwks_uri?: string | undefined;
  /** What `aud` must hold; the tenant's issuer where it is absent. */
  readonly audience?: string | undefined;
  readonly claims: Readonly<Record<string, string>>;
}

/** An authorization request after every check. It travels sealed, in the URL, until the person decides. */
export interface AuthorizationRequest {
  /** UUID; becomes the id of the grant, which can be made once. */
  readonly id: string;
  readonly client_id: string;
  readonly redirect_uri: string;
  readonly state: string | undefined;
  readonly scope: string;
  /** URL of the MCP endpoint. */
  readonly resource: string;
  /** S256. */
  readonly code_challenge: string;
  readonly prompt: "none" | "login" | "consent" | undefined;
  /** Seconds. */
  readonly max_age: number | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly requested_at: number;
}

/** Why an authorization request ends on a page of ours and not at its client. */
export interface Stop {
  readonly reason: StopReason;
  readonly client_id?: string | undefined;
  readonly client_name?: string | undefined;
  readonly redirect_uri?: string | undefined;
}

export type AuthorizationCheck =
  | { readonly kind: "request"; readonly request: AuthorizationRequest; readonly client: OAuthClient }
  /** The error goes to the client, at its trusted redirect URI. */
  | { readonly kind: "refused"; readonly location: string }
  | { readonly kind: "stopped"; readonly stop: Stop };

/** Who an access token is for. */
export interface TokenSubject {
  readonly client_id: string;
  readonly resource: string;
  readonly scope: string;
  /** Undefined where a client acts for itself. */
  readonly user:
    | {
        readonly id: string;
        readonly email: string | null;
        /** Whether the identity provider vouches for the address. */
        readonly email_verified: boolean;
        readonly groups: readonly string[];
        readonly role: string;
        /** Ids of the servers that the person chose. */
        readonly servers: readonly string[];
      }
    | undefined;
  readonly grant_id: string | undefined;
}

/** @see RFC 6749 section 5.1 */
export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: "Bearer";
  /** Seconds. */
  readonly expires_in: number;
  readonly scope: string;
  readonly refresh_token?: string;
}
