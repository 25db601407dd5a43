/** What a server demands of whoever calls it: one function for each way to authenticate. */
import { createRemoteJWKSet, jwtVerify } from "jose";
import * as z from "zod";
import type { AuthorizationServer } from "./authorization-server.ts";

export interface Admitted {
  /** Whose data it answers with. */
  readonly subject: string;
  readonly scopes?: readonly string[];
}

/** What is asked for, as far as guards care. */
export interface Asked {
  readonly request: Request;
  /** Its own address, which is its resource identifier. */
  readonly url: URL;
  /** Of a `tools/call`. */
  readonly tool: string | undefined;
}

export type Guard = (asked: Asked) => Promise<Admitted | Response>;

const refused = (status: 401 | 403, challenge: string): Response =>
  Response.json({ error: "refused" }, { status, headers: { "www-authenticate": challenge } });

function bearerOf(request: Request, header = "authorization"): string {
  return /^Bearer ([\x21-\x7e]+)$/.exec(request.headers.get(header) ?? "")?.[1] ?? "";
}

/** Where `protected-server.ts` serves the metadata of RFC 9728. */
export const metadataPath = "/.well-known/oauth-protected-resource/mcp";

export interface OAuthOptions {
  /** That every call needs. */
  readonly scopes?: readonly string[];
  /** What more some tools need. */
  readonly toolScopes?: Readonly<Record<string, string>>;
  /** False: a vendor from before MCP, whose challenge names nothing and whose tokens have no audience. */
  readonly metadata?: boolean;
}

/** A token of this authorization server, for this server. */
export function oauthGuard(authorization: AuthorizationServer, options: OAuthOptions = {}): Guard {
  const { scopes = [], toolScopes = {}, metadata = true } = options;
  return async ({ request, url, tool }) => {
    const where = metadata ? ` resource_metadata="${new URL(metadataPath, url).href}"` : ' realm="forge"';
    const token = bearerOf(request);
    if (token === "")
      return refused(401, `Bearer${where}${scopes.length === 0 ? "" : `, scope="${scopes.join(" ")}"`}`);
    const verified = await authorization.verify(token, metadata ? url.href : null);
    if (verified === undefined) return refused(401, `Bearer${where}, error="invalid_token"`);
    const needed = [...scopes, ...(tool === undefined ? [] : [toolScopes[tool] ?? ""])].filter((one) => one !== "");
    if (needed.every((scope) => verified.scopes.includes(scope))) return verified;
    return refused(403, `Bearer${where}, error="insufficient_scope", scope="${needed.join(" ")}"`);
  };
}

/** A token of this authorization server on any header, for this server. */
export const tokenGuard =
  (header: string, authorization: AuthorizationServer): Guard =>
  async ({ request, url }) =>
    (await authorization.verify(bearerOf(request, header), url.href)) ?? refused(401, "Bearer");

const only = (isRight: boolean, challenge = "Bearer"): Admitted | Response =>
  isRight ? { subject: "service" } : refused(401, challenge);

export const openGuard: Guard = async () => ({ subject: "anybody" });

export const headerGuard =
  (name: string, value: string): Guard =>
  async ({ request }) =>
    only(request.headers.get(name) === value, "ApiKey");

export const queryGuard =
  (parameter: string, value: string): Guard =>
  async ({ request }) =>
    only(new URL(request.url).searchParams.get(parameter) === value, "ApiKey");

export const bearerGuard =
  (token: string): Guard =>
  async ({ request }) =>
    only(bearerOf(request) === token);

export const basicGuard =
  (username: string, password: string): Guard =>
  async ({ request }) => {
    const right = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    return only(request.headers.get("authorization") === right, 'Basic realm="service"');
  };

/** Each person's own key. */
export const keysGuard =
  (name: string, subjects: ReadonlyMap<string, string>): Guard =>
  async ({ request }) => {
    const subject = subjects.get(request.headers.get(name) ?? "");
    return subject === undefined ? refused(401, "ApiKey") : { subject };
  };

const person = z.looseObject({ sub: z.string() });

/**
 * A key of the service, and the person's token of the organisation's identity provider on a header of its own: an ID token by the
 * provider's keys, or an access token by asking the provider.
 */
export function serviceAndPersonGuard(key: string, header: string, identity: { issuer: string }): Guard {
  const keys = createRemoteJWKSet(new URL("/jwks", identity.issuer));
  return async ({ request }) => {
    const token = bearerOf(request, header);
    if (bearerOf(request) !== key || token === "") return refused(401, "Bearer");
    if (token.split(".").length === 3) {
      const verified = await jwtVerify(token, keys, { issuer: identity.issuer }).catch(() => undefined);
      const claims = person.safeParse(verified?.payload);
      return claims.success ? { subject: claims.data.sub } : refused(401, "Bearer");
    }
    const answer = await fetch(new URL("/me", identity.issuer), { headers: { authorization: `Bearer ${token}` } });
    const claims = person.safeParse(await answer.json());
    return answer.ok && claims.success ? { subject: claims.data.sub } : refused(401, "Bearer");
  };
}

const assertionClaims = z.looseObject({ sub: z.string(), email: z.string().optional() });

/** What Gatehouse says of the caller, signed, on a header. The subject is the e-mail address where it is said. */
export function assertionGuard(header: string, gatehouse: URL): Guard {
  const keys = createRemoteJWKSet(new URL("/oauth/jwks.json", gatehouse));
  return async ({ request, url }) => {
    const checks = { issuer: gatehouse.origin, audience: url.href };
    const verified = await jwtVerify(request.headers.get(header) ?? "", keys, checks).catch(() => undefined);
    const claims = assertionClaims.safeParse(verified?.payload);
    return claims.success ? { subject: claims.data.email ?? claims.data.sub } : refused(401, "Bearer");
  };
}

/** All of them: the subject is that of the last. */
export const allGuards =
  (...guards: readonly [Guard, ...Guard[]]): Guard =>
  async (asked) => {
    let last: Admitted = { subject: "" };
    for (const guard of guards) {
      const admitted = await guard(asked);
      if (admitted instanceof Response) return admitted;
      last = admitted;
    }
    return last;
  };
