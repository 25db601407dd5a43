/** What `authorization-server.ts` uses of `oidc-provider` beyond `scripts/lib/oidc-provider.d.ts`. */
declare module "oidc-provider" {
  export interface Interaction {
    readonly session?: { readonly accountId: string };
    readonly grantId?: string;
  }

  export interface Grant {
    addResourceScope(resource: string, scope: string): void;
  }

  /** A stored token, opaque to its bearer. */
  export interface StoredToken {
    readonly accountId?: string;
    readonly clientId: string;
    readonly aud?: string | readonly string[];
    readonly scope?: string;
    readonly grantId?: string;
  }

  interface TokenModel {
    find(value: string): Promise<StoredToken | undefined>;
    revokeByGrantId(id: string): Promise<void>;
  }

  /** What event listeners and handlers of grants read. */
  export interface TokenContext {
    body: unknown;
    readonly oidc: {
      readonly params?: Readonly<Record<string, string | undefined>>;
      readonly client?: { readonly clientId: string };
    };
  }

  export interface Provider {
    readonly AccessToken: TokenModel;
    readonly ClientCredentials: TokenModel;
    readonly RefreshToken: TokenModel;
    on(event: "grant.success", listener: (context: TokenContext) => void): this;
    on(event: "grant.error" | "revocation.error", listener: (context: TokenContext, error: Error) => void): this;
    on(event: "authorization.success", listener: (context: unknown, out: { readonly code?: string }) => void): this;
    on(
      event: "registration_create.success",
      listener: (context: unknown, client: { readonly clientId: string; readonly clientSecret?: string }) => void,
    ): this;
    on(event: "refresh_token.saved", listener: (token: StoredToken) => void): this;
    on(event: "server_error", listener: (context: unknown, error: Error) => void): this;
    registerGrantType(
      name: string,
      handler: (context: TokenContext) => Promise<void>,
      parameters: readonly string[],
    ): void;
  }

  export const errors: {
    readonly InvalidTarget: new (description?: string) => Error;
    readonly InvalidGrant: new (description?: string) => Error;
  };
}
