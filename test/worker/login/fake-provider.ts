/** An OpenID provider in the test: right in everything, until a test takes a part of it away. */
import { CompactSign, exportJWK, generateKeyPair, type CompactJWSHeaderParameters, type CryptoKey } from "jose";

export interface Key {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: Record<string, unknown>;
}

export async function makeKey(kid: string, alg = "ES256"): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

export interface TokenRequest {
  readonly parameters: URLSearchParams;
  readonly authorization: string | null;
}

type Claims = Record<string, unknown>;

export class FakeProvider {
  readonly issuer: string;
  readonly client_id = "gatehouse-client";
  key: Key;
  /** Members of the discovery document that a test changes; undefined removes one. */
  discovery: Claims = {};
  keys: Record<string, unknown>[];
  /** The person. */
  claims: Claims = { sub: "alice", email: "alice@a.test", email_verified: true, name: "Alice Example" };
  /** Over all claims of the ID token. */
  idToken: Claims = {};
  header: Partial<CompactJWSHeaderParameters> = {};
  userInfo: Claims | Response | undefined;
  /** Over the members of the token endpoint's answer. */
  tokenMembers: Claims = {};
  /** In place of the answer of the token endpoint. */
  tokenAnswer: (() => Response | Promise<Response>) | undefined;
  /** Changes the ID token as text. */
  mangle: (idToken: string) => string | Promise<string> = (text) => text;
  /** Parameters of the way back. */
  answerParameters: Record<string, string | undefined> = {};
  readonly tokenRequests: TokenRequest[] = [];
  readonly userInfoRequests: Request[] = [];
  readonly authorizations: URL[] = [];
  auth_time: number | undefined;
  /** Milliseconds since the Unix epoch; the world sets its own. */
  clock: () => number = () => Date.now();
  down = false;
  #codes = new Map<string, URLSearchParams>();

  constructor(issuer: string, key: Key) {
    this.issuer = issuer;
    this.key = key;
    this.keys = [key.jwk];
  }

  get document(): Claims {
    const document: Claims = {
      issuer: this.issuer,
      authorization_endpoint: `${this.issuer}/authorize`,
      token_endpoint: `${this.issuer}/token`,
      userinfo_endpoint: `${this.issuer}/userinfo`,
      jwks_uri: `${this.issuer}/jwks`,
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      scopes_supported: ["openid", "profile", "email", "offline_access"],
      id_token_signing_alg_values_supported: ["RS256", "ES256"],
      authorization_response_iss_parameter_supported: true,
      ...this.discovery,
    };
    return Object.fromEntries(Object.entries(document).filter(([, value]) => value !== undefined));
  }

  async answer(request: Request): Promise<Response> {
    if (this.down) throw new TypeError("connection refused");
    const { pathname } = new URL(request.url);
    const path = pathname.replace(new URL(this.issuer).pathname.replace(/\/$/, ""), "");
    if (path === "/.well-known/openid-configuration") {
      return Response.json(this.document, { headers: { "cache-control": "max-age=60" } });
    }
    if (path === "/jwks") return Response.json({ keys: this.keys });
    if (path === "/token") return this.#token(request);
    if (path === "/userinfo") {
      this.userInfoRequests.push(request);
      if (this.userInfo instanceof Response) return this.userInfo;
      return Response.json(this.userInfo ?? this.claims);
    }
    return new Response("nothing", { status: 404 });
  }

  /** Codes, verifiers, states and nonces that it saw. */
  secrets(): string[] {
    const asked = this.authorizations.flatMap(({ searchParams }) =>
      ["state", "nonce"].map((name) => searchParams.get(name)),
    );
    const told = this.tokenRequests.flatMap(({ parameters }) => [parameters.get("code_verifier")]);
    return [...this.#codes.keys(), ...asked, ...told].filter((secret) => secret !== null);
  }

  /** The person agrees. @returns where the browser goes */
  authorize(location: URL): URL {
    this.authorizations.push(location);
    const asked = location.searchParams;
    const code = crypto.randomUUID();
    this.#codes.set(code, asked);
    const answer = new URL(asked.get("redirect_uri") ?? "");
    const parameters = { code, state: asked.get("state") ?? "", iss: this.issuer, ...this.answerParameters };
    for (const [name, value] of Object.entries(parameters))
      if (value !== undefined) answer.searchParams.set(name, value);
    return answer;
  }

  async #token(request: Request): Promise<Response> {
    const parameters = new URLSearchParams(await request.text());
    this.tokenRequests.push({ parameters, authorization: request.headers.get("authorization") });
    if (this.tokenAnswer !== undefined) return this.tokenAnswer();
    const asked = this.#codes.get(parameters.get("code") ?? "");
    const challenge = await crypto.subtle.digest(
      "SHA-256",
      new TextEncoder().encode(parameters.get("code_verifier") ?? ""),
    );
    const proof = new Uint8Array(challenge).toBase64({ alphabet: "base64url", omitPadding: true });
    if (asked === undefined || asked.get("code_challenge") !== proof) {
      return Response.json({ error: "invalid_grant" }, { status: 400 });
    }
    const id_token = await this.mangle(await this.sign({ nonce: asked.get("nonce"), ...this.idToken }));
    const token = { access_token: "the-access-token", refresh_token: "the-refresh-token", token_type: "Bearer" };
    return Response.json({ ...token, expires_in: 3600, id_token, ...this.tokenMembers });
  }

  /** Signs what an ID token holds, with these claims over it; undefined removes one. */
  async sign(claims: Claims = {}, header: Partial<CompactJWSHeaderParameters> = {}, key = this.key): Promise<string> {
    const now = Math.floor(this.clock() / 1000);
    const payload = {
      ...this.claims,
      ...{ iss: this.issuer, aud: this.client_id, iat: now, exp: now + 300 },
      ...(this.auth_time === undefined ? {} : { auth_time: this.auth_time }),
      ...claims,
    };
    return new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
      .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "JWT", ...this.header, ...header })
      .sign(key.privateKey);
  }
}
