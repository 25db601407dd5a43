/** What an access token says, on the wire and after it was verified. */
import * as z from "zod";
import { limits } from "../../limits.ts";

/** @see RFC 9068 section 2.1 */
export const tokenType = "at+jwt";

export const requiredScope = "mcp";

/** Exactly what `mint.ts` writes: no other algorithm, no embedded key, no `crit`. */
export const headerSchema = z.strictObject({
  alg: z.literal("ES256"),
  typ: z.literal(tokenType),
  kid: z.string().max(64),
});

/** A server id in 22 characters instead of 36: a token may name 200 of them. */
const shortIdSchema = z.string().regex(/^[A-Za-z0-9_-]{22}$/);

/** @see RFC 9068 section 2.2; the last ones are ours */
export const wireSchema = z.strictObject({
  iss: z.string(),
  aud: z.string(),
  sub: z.string(),
  client_id: z.string(),
  iat: z.int(),
  exp: z.int(),
  jti: z.string(),
  scope: z.string(),
  /** `iat` in milliseconds, which is what revocations are compared with. */
  issued_ms: z.int(),
  /** Set where an administrator registered the client: without its registration such a token is worth nothing. */
  registered: z.literal(true).optional(),
  grant_id: z.string().optional(),
  /** The following are there where the token is for a person. */
  servers: z.array(shortIdSchema).max(limits.serversPerTenant_count).optional(),
  groups: z.array(z.string()).optional(),
  roles: z.array(z.string()).optional(),
  email: z.string().optional(),
  /** Beside `email`, where the identity provider vouches for it. */
  email_verified: z.literal(true).optional(),
});

export type WireClaims = z.infer<typeof wireSchema>;

/** A verified token. Immutable: it is shared between the requests that present it. */
export interface AccessClaims {
  readonly kid: string;
  readonly issuer: string;
  /** URL of the MCP endpoint. */
  readonly audience: string;
  readonly client_id: string;
  /** The person, or where there is none the client again. */
  readonly subject: string;
  readonly scope: ReadonlySet<string>;
  /** Milliseconds since the Unix epoch. */
  readonly issued_at: number;
  readonly expires_at: number;
  readonly registered: boolean;
  readonly grant_id: string | undefined;
  readonly user:
    | {
        readonly id: string;
        readonly email: string | undefined;
        readonly email_verified: boolean;
        readonly groups: ReadonlySet<string>;
        readonly roles: ReadonlySet<string>;
        /** Server ids. */
        readonly servers: ReadonlySet<string>;
      }
    | undefined;
}

/** @throws for what is no UUID: ids of servers are ours */
export function shortId(id: string): string {
  const hex = id.replaceAll("-", "");
  if (!/^[0-9a-f]{32}$/.test(hex)) throw new TypeError("The id of a server is no UUID.");
  return Uint8Array.fromHex(hex).toBase64({ alphabet: "base64url", omitPadding: true });
}

function longId(short: string): string {
  const hex = Uint8Array.fromBase64(short, { alphabet: "base64url" }).toHex();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

export function accessClaims(kid: string, wire: WireClaims): AccessClaims {
  const { servers } = wire;
  return {
    kid,
    issuer: wire.iss,
    audience: wire.aud,
    client_id: wire.client_id,
    subject: wire.sub,
    scope: new Set(wire.scope.split(" ")),
    issued_at: wire.issued_ms,
    expires_at: wire.exp * 1000,
    registered: wire.registered === true,
    grant_id: wire.grant_id,
    user:
      servers === undefined
        ? undefined
        : {
            id: wire.sub,
            email: wire.email,
            email_verified: wire.email_verified === true,
            groups: new Set(wire.groups),
            roles: new Set(wire.roles),
            servers: new Set(servers.map(longId)),
          },
  };
}
