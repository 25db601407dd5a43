/** A vendor in the test: MCP servers, and the authorization server where people have accounts for them. Right, until a test changes it. */
import type { Seen } from "../gateway/support.ts";

type Members = Record<string, unknown>;

export class FakeVendor {
  readonly issuer = "https://auth.vendor.test";
  readonly resource = "https://mcp.vendor.test/mcp";
  /** Over the members of the authorization server's metadata; undefined removes one. */
  metadata: Members = {};
  /** Over those of the resource's. */
  resourceMetadata: Members = {};
  /** In place of the answer of the token endpoint. */
  tokenAnswer: (() => Response | Promise<Response>) | undefined;
  /** Parameters of the way back; undefined removes one. */
  answerParameters: Record<string, string | undefined> = {};
  down = false;
  /** The same of the servers: no connection, or this status for everything. */
  resourceDown: boolean | number = false;
  /** Of whoever registers next. */
  client_id = "registered-client";
  /** Keys that the servers with pasted keys take. */
  readonly keys = new Set<string>();
  readonly tokenRequests: URLSearchParams[] = [];
  readonly revoked: URLSearchParams[] = [];
  readonly authorizations: URL[] = [];
  readonly tokens: string[] = [];
  /** Everything that arrived, as text. */
  readonly arrived: string[] = [];
  readonly #codes = new Map<string, URLSearchParams>();

  answer(request: Request): Promise<Response> | undefined {
    const { hostname } = new URL(request.url);
    if (/^auth.*\.vendor\.test$/.test(hostname)) return this.#authorizationServer(request);
    if (hostname.endsWith(".vendor.test")) return this.#resource(request);
    return hostname.endsWith("keys.test") ? this.#keyed(request) : undefined;
  }

  /** The person agrees. @returns where the browser goes */
  authorize(location: string, parameters: Record<string, string | undefined> = {}): string {
    const url = new URL(location);
    this.authorizations.push(url);
    const asked = url.searchParams;
    const code = crypto.randomUUID();
    this.#codes.set(code, asked);
    const answer = new URL(asked.get("redirect_uri") ?? "");
    const told = { code, state: asked.get("state") ?? "", iss: this.issuer, ...this.answerParameters, ...parameters };
    for (const [name, value] of Object.entries(told)) if (value !== undefined) answer.searchParams.set(name, value);
    return answer.pathname + answer.search;
  }

  /** Codes, states, verifiers and tokens. */
  secrets(): string[] {
    const asked = this.authorizations.map(({ searchParams }) => searchParams.get("state"));
    const told = this.tokenRequests.map((parameters) => parameters.get("code_verifier"));
    return [...this.#codes.keys(), ...asked, ...told, ...this.tokens].filter((secret) => secret !== null);
  }

  async #authorizationServer(request: Request): Promise<Response> {
    if (this.down) throw new TypeError("connection refused");
    const { pathname, origin } = new URL(request.url);
    const text = await request.text();
    this.arrived.push(text);
    if (pathname === "/.well-known/oauth-authorization-server") return Response.json(this.#document(origin));
    if (pathname === "/register") {
      const asked = JSON.parse(text) as Members;
      return Response.json({ ...asked, client_id: this.client_id }, { status: 201 });
    }
    if (pathname === "/token") return this.#token(new URLSearchParams(text));
    if (pathname === "/revoke") {
      this.revoked.push(new URLSearchParams(text));
      return new Response(null, { status: 200 });
    }
    return new Response("nothing", { status: 404 });
  }

  #document(issuer: string): Members {
    return withoutUndefined({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      registration_endpoint: `${issuer}/register`,
      revocation_endpoint: `${issuer}/revoke`,
      response_types_supported: ["code"],
      grant_types_supported: ["authorization_code", "refresh_token"],
      token_endpoint_auth_methods_supported: ["none"],
      code_challenge_methods_supported: ["S256"],
      authorization_response_iss_parameter_supported: true,
      ...this.metadata,
    });
  }

  async #token(parameters: URLSearchParams): Promise<Response> {
    this.tokenRequests.push(parameters);
    if (this.tokenAnswer !== undefined) return this.tokenAnswer();
    const code = parameters.get("code") ?? "";
    const asked = this.#codes.get(code);
    const bytes = new TextEncoder().encode(parameters.get("code_verifier") ?? "");
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const proof = digest.toBase64({ alphabet: "base64url", omitPadding: true });
    const same = ["redirect_uri", "resource", "client_id"].every((name) => asked?.get(name) === parameters.get(name));
    if (asked?.get("code_challenge") !== proof || !same)
      return Response.json({ error: "invalid_grant" }, { status: 400 });
    this.#codes.delete(code);
    const [access_token, refresh_token] = [`access-${crypto.randomUUID()}`, `refresh-${crypto.randomUUID()}`];
    this.tokens.push(access_token, refresh_token);
    const scope = asked.get("scope") ?? undefined;
    return Response.json(
      withoutUndefined({ access_token, refresh_token, token_type: "Bearer", expires_in: 3600, scope }),
    );
  }

  async #resource(request: Request): Promise<Response> {
    if (this.resourceDown === true) throw new TypeError("connection refused");
    if (this.resourceDown !== false) return new Response("down", { status: this.resourceDown });
    const { origin, pathname } = new URL(request.url);
    this.arrived.push(await request.text());
    if (!pathname.startsWith("/.well-known/oauth-protected-resource")) return challenge(origin);
    return Response.json(
      withoutUndefined({
        resource: `${origin}/mcp`,
        authorization_servers: [this.issuer],
        scopes_supported: ["read", "write"],
        ...this.resourceMetadata,
      }),
    );
  }

  /** A server that wants a key, wherever it stands. */
  async #keyed(request: Request): Promise<Response> {
    if (this.down) throw new TypeError("connection refused");
    const text = await request.text();
    const { searchParams } = new URL(request.url);
    const basic = request.headers.get("authorization")?.split(" ")[1] ?? "";
    const given = [request.headers.get("x-key"), searchParams.get("key"), basic].filter((key) => key !== null);
    if (!given.some((key) => this.keys.has(key))) return new Response(null, { status: 401 });
    const { id, method } = JSON.parse(text) as Pick<Seen["message"], "id" | "method">;
    const found = { supportedVersions: ["2026-07-28"], capabilities: { tools: {} }, ttlMs: 0, cacheScope: "private" };
    const result = method === "server/discover" ? found : { tools: [], ttlMs: 0, cacheScope: "private" };
    return Response.json({ jsonrpc: "2.0", id, result: { resultType: "complete", ...result } });
  }
}

const challenge = (origin: string): Response =>
  new Response(null, {
    status: 401,
    headers: { "www-authenticate": `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"` },
  });

const withoutUndefined = (members: Members): Members =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
