/** Credentials for other systems as the rest of the program sees them. */
import * as z from "zod";

/** Which connection: whose, with what, and under which of their names. One `Connection` object each. */
export interface ConnectionKey {
  /** A person; empty for the organisation. */
  readonly user_id: string;
  /** Id of a server, `credential:{id}`, or `idp` for the tokens of the identity provider. */
  readonly target: string;
  /** `default` or the person's own name for it; `service` and `header:{name}` for tokens that Gatehouse gets by itself. */
  readonly account: string;
}

const tokensSchema = z.strictObject({
  kind: z.literal("tokens"),
  access_token: z.string(),
  refresh_token: z.string().optional(),
  id_token: z.string().optional(),
  /** Of the access token, in milliseconds since the Unix epoch; null when its issuer does not tell. */
  expires_at: z.int().nullable(),
});

/** A key that somebody pasted. */
const secretSchema = z.strictObject({ kind: z.literal("secret"), username: z.string().optional(), value: z.string() });

export const heldCredentialSchema = z.discriminatedUnion("kind", [tokensSchema, secretSchema]);
export type HeldCredential = z.infer<typeof heldCredentialSchema>;
export type Tokens = z.infer<typeof tokensSchema>;

/** Without its secret: what people and administrators see. */
export interface ConnectionFacts extends ConnectionKey {
  /** New with each link. */
  readonly id: string;
  readonly is_default: boolean;
  readonly state: "linked" | "needs_reauth";
  readonly reason: string | null;
  /** Empty for a pasted key. */
  readonly issuer: string;
  readonly token_endpoint: string;
  readonly revocation_endpoint: string | null;
  readonly client_id: string;
  /** As granted; null when the issuer did not say. */
  readonly scope: string | null;
  readonly asked_scope: string | null;
  readonly fit: string;
  /** 0 for a link that the person began by themselves. */
  readonly step_ups: number;
  readonly revision: number;
  readonly created_at: number;
  readonly updated_at: number;
}

export interface StoredConnection extends ConnectionFacts {
  readonly credential: HeldCredential;
}

/** What a link brings. */
export type NewConnection = Pick<
  StoredConnection,
  | "credential"
  | "issuer"
  | "token_endpoint"
  | "revocation_endpoint"
  | "client_id"
  | "scope"
  | "asked_scope"
  | "fit"
  | "step_ups"
>;
