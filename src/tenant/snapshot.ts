/**
 * The configuration of one tenant as an immutable value with a version. A request decides everything on one snapshot, so
 * it never sees half a change.
 */
import type { Server } from "../registry/index.ts";
import type { TenantSettings } from "./settings.ts";

export interface Client {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  /** Ids of the servers that exist for this client. */
  readonly servers: ReadonlySet<string>;
}

/** A bearer token that is neither revoked nor known to be expired when the snapshot was made. */
export interface Token {
  readonly id: string;
  readonly kind: "client" | "administrator" | "secret";
  readonly client_id: string | null;
  readonly expires_at: number;
}

/** A public key of the tenant's own access tokens. */
export interface VerificationKey {
  readonly kid: string;
  /** ES256, without its private part. */
  readonly jwk: Readonly<Record<string, string>>;
  readonly active_at: number;
  readonly expires_at: number;
}

export interface Snapshot {
  readonly tenant: string;
  readonly version: number;
  readonly loaded_at: number;
  /** False until an administrator has initialised the tenant (always true in development mode). */
  readonly initialised: boolean;
  readonly settings: TenantSettings;
  /** By slug, in the order of slugs: the one order of every list. */
  readonly servers: ReadonlyMap<string, Server>;
  readonly clients: ReadonlyMap<string, Client>;
  /** By SHA-256 of the token, base64url. */
  readonly tokens: ReadonlyMap<string, Token>;
  /** The same tokens by id. */
  readonly tokensById: ReadonlyMap<string, Token>;
  /** By key id. */
  readonly verificationKeys: ReadonlyMap<string, VerificationKey>;
  /**
   * `grant:{id}`, `user:{id}`, `client:{id}` or `holder:…` (`holderOf`) to the time in milliseconds up to which access tokens of that
   * subject are void. Only what a living access token could still meet, the newest `limits.revocations_count`.
   */
  readonly revocations: ReadonlyMap<string, number>;
  /** Every access token up to this time is void: the newest of the revocations that did not fit. */
  readonly revokedBefore: number;
}
