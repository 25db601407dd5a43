/** What the files of this room share. */
import type { SafeFetch } from "../egress/index.ts";
import type { Visit } from "../login/index.ts";
import type { Snapshot, TenantHost } from "../tenant/index.ts";
import type { Platform } from "../platform.ts";
import type { ClientAuthentication, ClientSecret } from "../registry/index.ts";
import type { Tokens, Vault } from "../vault/index.ts";

/** What work on connections needs. A `Visit` is one, and so is the context of a call. */
export interface Base {
  readonly platform: Platform;
  readonly tenant: TenantHost;
  readonly snapshot: Snapshot;
  readonly vault: Vault;
  readonly fetch: SafeFetch;
  readonly recorder: Visit["recorder"];
  readonly source: { readonly country?: string; readonly network: string };
}

/** An authorization server of an upstream, with Gatehouse as its client. */
export interface Party {
  readonly issuer: string;
  /** Undefined where only tokens are asked for. */
  readonly authorization_endpoint?: string;
  readonly token_endpoint: string;
  readonly revocation_endpoint?: string;
  readonly client_id: string;
  readonly client_authentication: ClientAuthentication;
  readonly secret: ClientSecret;
  /** Whether its answers name it (RFC 9207 section 3): then one that does not is refused. */
  readonly names_issuer: boolean;
  readonly scopes_supported?: readonly string[];
  /** Whether it says that it knows `prompt=select_account`. */
  readonly lets_choose_account?: boolean;
  /** RFC 8707; null: none is sent. */
  readonly resource: string | null;
  readonly how: "configured" | "document" | "dynamic";
  /** Where its answers come to, see `oauth/callbacks.ts`. Undefined where only tokens are asked for. */
  readonly redirect_uri?: string;
}

/** What came out of a token endpoint. */
export interface TokenSet {
  readonly tokens: Tokens;
  /** As granted; null when the issuer did not say. */
  readonly scope: string | null;
}

/** Why there is no token. `dead`: only a person can help. `passing`: another try later may succeed. `wrong`: the configuration is. */
export interface TokenFailure {
  readonly kind: "dead" | "passing" | "wrong";
  /** Stable. */
  readonly reason: string;
  /** Of a `passing` one: not before this time, in milliseconds since the Unix epoch. */
  readonly retry_at?: number;
}

/** The challenge of a server that refused what was added (RFC 6750 section 3, RFC 9728 section 5.1). */
export interface Challenge {
  readonly error?: string;
  readonly scope?: string;
  readonly resource_metadata?: string;
}

/** A credential that is good now, as far as Gatehouse can know. */
export interface LiveCredential {
  /** Of the link that it comes from. */
  readonly connection_id: string;
  readonly revision: number;
  /** When it was used last, the server refused it; whoever sees it taken says so. */
  readonly wasRefused?: true;
  readonly credential:
    | { readonly kind: "tokens"; readonly access_token: string; readonly id_token?: string }
    | { readonly kind: "secret"; readonly username?: string; readonly value: string };
}
