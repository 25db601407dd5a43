/**
 * The authorization server of an upstream, on loopback: `oidc-provider` with accounts of its own, for tests of Gatehouse as its client.
 * Refresh tokens rotate, and one that comes twice ends the whole grant, as the provider does by default.
 */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createLocalJWKSet, createRemoteJWKSet, importJWK, jwtVerify, SignJWT, type JWK } from "jose";
import { errors, Provider, type StoredToken, type TokenContext } from "oidc-provider";
import { createMemoryAdapter } from "oidc-provider/lib/adapters/memory_adapter.js";
import * as z from "zod";
import { pageHeaders, signInPage, type Person } from "../../../scripts/lib/identity-pages.ts";
import { newIdentityKey } from "../../../scripts/lib/identity-provider.ts";
import { createFaults, type Armed, type Fault } from "./faults.ts";

/** Ada's and Ben's accounts there, by other names than at the organisation. */
export const accounts: readonly Person[] = [
  { id: "octo-ada", email: "ada@forge.test", name: "Ada at the forge", groups: ["forge"] },
  { id: "octo-ben", email: "ben@forge.test", name: "Ben at the forge", groups: ["forge"] },
];

export const tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange";

export interface AuthorizationServerOptions {
  /** Identifiers of the MCP servers that it issues tokens for (RFC 8707), asked at each request; any other is refused. */
  readonly resources?: () => readonly string[];
  readonly scopes?: readonly string[];
  /** Whether clients may register themselves (RFC 7591). */
  readonly registration?: boolean;
  /** Clients that were registered by hand, as `oidc-provider` has them. */
  readonly clients?: readonly Readonly<Record<string, unknown>>[];
  /** "opaque" without it: then a revoked token is refused at once. */
  readonly format?: "jwt" | "opaque";
  /** False: no metadata and no resources, as vendors had it before MCP. */
  readonly metadata?: boolean;
  /** Issuer whose ID tokens may be exchanged for ours (RFC 8693). */
  readonly exchanges?: () => string;
}

/** One answer of the token endpoint. */
export interface TokenRequest {
  readonly grant_type: string;
  readonly client_id: string;
  readonly resource?: string;
  /** "success" or the error. */
  readonly outcome: string;
}

export interface Verified {
  /** Of an account, or of a client that has a token of its own. */
  readonly subject: string;
  readonly client_id: string;
  readonly scopes: readonly string[];
}

type Endpoint = "/token" | "/token/revocation" | "/reg";

export interface AuthorizationServer {
  readonly issuer: string;
  /** In order. */
  readonly tokenRequests: readonly TokenRequest[];
  /** Everything that it issued and that must be seen nowhere: tokens, codes, client secrets. */
  readonly secrets: ReadonlySet<string>;
  /** Of every request, in order. */
  readonly paths: readonly string[];
  /** How many requests an endpoint had, those among them that a fault took. */
  count(endpoint: Endpoint): number;
  refreshes(): number;
  /** Of the access tokens that come next, in seconds. Below 1, they are said to have ended as they arrive. */
  life_s: number;
  arm(endpoint: Endpoint, fault: Fault): Armed;
  disarm(): void;
  /** @returns undefined for a token that is not good, or not for this audience; null takes one without */
  verify(token: string, audience: string | null): Promise<Verified | undefined>;
  /** The account's owner withdraws what they allowed, here. */
  withdraw(account: string): Promise<void>;
  close(): Promise<void>;
}

const hour_s = 3600;
const form_bytes_max = 4096;

/** @throws when nothing can be bound */
export async function startAuthorizationServer(options: AuthorizationServerOptions): Promise<AuthorizationServer> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const issuer = `http://127.0.0.1:${port}`;
  const key = await newIdentityKey();
  const life = { s: hour_s };
  const provider = new Provider(issuer, configurationOf(options, port, key, life));
  const { secrets, tokenRequests, grants } = watch(provider, life);
  if (options.exchanges !== undefined) addExchange(provider, options.exchanges, key, issuer, life);

  const faults = createFaults();
  const paths: string[] = [];
  const answer = provider.callback();
  server.on("request", (request, response) => {
    const { pathname } = new URL(request.url ?? "/", issuer);
    paths.push(pathname);
    if (faults.takes(request, response)) return;
    if (options.metadata === false && pathname.startsWith("/.well-known/")) return send(response, 404, "Not found");
    if (!pathname.startsWith("/interaction/")) return answer(request, response);
    interact(provider, request, response).catch((error: unknown) => send(response, 400, String(error)));
  });

  return {
    ...{ issuer, tokenRequests, secrets, paths },
    count: (endpoint) => paths.filter((path) => path === endpoint).length,
    refreshes: () => tokenRequests.filter(({ grant_type }) => grant_type === "refresh_token").length,
    get life_s() {
      return life.s;
    },
    set life_s(seconds) {
      life.s = seconds;
    },
    arm: (endpoint, fault) => faults.arm(endpoint, fault),
    disarm: () => faults.disarm(),
    verify: (token, audience) => verify(provider, issuer, key, token, audience),
    async withdraw(account) {
      for (const id of grants.get(account) ?? []) {
        await Promise.all([provider.AccessToken.revokeByGrantId(id), provider.RefreshToken.revokeByGrantId(id)]);
      }
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** @see https://github.com/panva/node-oidc-provider/blob/main/docs/README.md */
function configurationOf(
  options: AuthorizationServerOptions,
  port: number,
  key: JWK,
  life: { readonly s: number },
): object {
  const scopes = options.scopes ?? ["read"];
  const accessTokenFormat = options.format ?? "opaque";
  return {
    adapter: createMemoryAdapter(15),
    jwks: { keys: [key] },
    cookies: {
      keys: [randomBytes(32).toString("base64url")],
      // Cookies know no ports, and several of these run at once.
      names: { session: `_as${port}`, interaction: `_as${port}_interaction`, resume: `_as${port}_resume` },
    },
    clients: options.clients ?? [],
    scopes,
    claims: { openid: ["sub"] },
    pkce: { required: () => true },
    issueRefreshToken: (_context: unknown, client: { grantTypeAllowed(type: string): boolean }) =>
      client.grantTypeAllowed("refresh_token"),
    rotateRefreshToken: true,
    ttl: {
      AccessToken: () => Math.ceil(life.s),
      ClientCredentials: () => Math.ceil(life.s),
      AuthorizationCode: 60,
      Grant: 24 * hour_s,
      Interaction: hour_s,
      RefreshToken: 24 * hour_s,
      Session: 24 * hour_s,
    },
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    async findAccount(_context: unknown, id: string) {
      return accounts.some((one) => one.id === id) ? { accountId: id, claims: async () => ({ sub: id }) } : undefined;
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      registration: { enabled: options.registration ?? false },
      revocation: {
        enabled: true,
        allowedPolicy: async (_context: unknown, client: { clientId: string }, token: StoredToken) =>
          token.clientId === client.clientId,
      },
      userinfo: { enabled: false },
      resourceIndicators: {
        enabled: options.metadata !== false,
        async getResourceServerInfo(_context: unknown, resource: string) {
          if (!(options.resources?.() ?? []).includes(resource)) throw new errors.InvalidTarget();
          const jwt = accessTokenFormat === "jwt" ? { jwt: { sign: { alg: "RS256" } } } : {};
          const accessTokenTTL = Math.ceil(life.s);
          return { scope: scopes.join(" "), audience: resource, accessTokenTTL, accessTokenFormat, ...jwt };
        },
      },
    },
    renderError: async (context: { body: unknown; type: string }, out: { error?: string }) => {
      context.type = "html";
      context.body = `<!doctype html><title>Error</title><h1>${out.error ?? "error"}</h1>`;
    },
  };
}

const issued = z.looseObject({
  access_token: z.string(),
  refresh_token: z.string().optional(),
  id_token: z.string().optional(),
});

/** Keeps what it issues, to know it again elsewhere. */
function watch(
  provider: Provider,
  life: { readonly s: number },
): {
  secrets: Set<string>;
  tokenRequests: TokenRequest[];
  grants: Map<string, Set<string>>;
} {
  const secrets = new Set<string>();
  const tokenRequests: TokenRequest[] = [];
  const grants = new Map<string, Set<string>>();
  const note = ({ oidc }: TokenContext, outcome: string): void => {
    const { grant_type = "", resource } = oidc.params ?? {};
    const client_id = oidc.client?.clientId ?? "";
    tokenRequests.push({ grant_type, client_id, outcome, ...(resource === undefined ? {} : { resource }) });
  };
  provider.on("grant.success", (context) => {
    note(context, "success");
    const answer = issued.parse(context.body);
    if (life.s < 1) context.body = { ...answer, expires_in: life.s };
    const { access_token, refresh_token, id_token } = answer;
    for (const secret of [access_token, refresh_token, id_token]) if (secret !== undefined) secrets.add(secret);
  });
  provider.on("grant.error", (context, error) => note(context, error.message));
  provider.on("authorization.success", (_context, { code }) => {
    if (code !== undefined) secrets.add(code);
  });
  provider.on("registration_create.success", (_context, { clientSecret }) => {
    if (clientSecret !== undefined) secrets.add(clientSecret);
  });
  provider.on("refresh_token.saved", ({ accountId = "", grantId = "" }: StoredToken) => {
    grants.set(accountId, (grants.get(accountId) ?? new Set()).add(grantId));
  });
  provider.on("server_error", (_context, error) => process.stderr.write(`${error.stack ?? error.message}\n`));
  return { secrets, tokenRequests, grants };
}

/** Takes an ID token of the organisation's provider and gives one of its own for the same person, under their name there. */
function addExchange(
  provider: Provider,
  issuerOf: () => string,
  key: JWK,
  issuer: string,
  life: { readonly s: number },
): void {
  const parameters = [
    ...["subject_token", "subject_token_type", "actor_token", "actor_token_type"],
    ...["requested_token_type", "audience", "resource", "scope"],
  ];
  provider.registerGrantType(
    tokenExchange,
    async (context) => {
      const { subject_token = "", resource = "", audience = resource, scope = "" } = context.oidc.params ?? {};
      const from = issuerOf();
      const keys = createRemoteJWKSet(new URL("/jwks", from));
      const given = await jwtVerify(subject_token, keys, { issuer: from }).catch((error: unknown) => {
        throw new errors.InvalidGrant(String(error));
      });
      const claims = {
        ...{ iss: issuer, sub: `octo-${given.payload.sub}`, client_id: context.oidc.client?.clientId ?? "" },
        ...{ aud: audience, scope },
      };
      const access_token = await new SignJWT(claims)
        .setProtectedHeader({ alg: "RS256", kid: key.kid ?? "", typ: "at+jwt" })
        .setIssuedAt()
        .setExpirationTime(`${life.s} seconds`)
        .sign(await importJWK(key, "RS256"));
      const issued_token_type = "urn:ietf:params:oauth:token-type:access_token";
      context.body = { access_token, issued_token_type, token_type: "Bearer", expires_in: life.s };
    },
    parameters,
  );
}

const claimsSchema = z.looseObject({ sub: z.string(), client_id: z.string(), scope: z.string().optional() });
const scopesOf = (scope: string | undefined): string[] => (scope ?? "").split(" ").filter((one) => one !== "");

async function verify(
  provider: Provider,
  issuer: string,
  key: JWK,
  token: string,
  audience: string | null,
): Promise<Verified | undefined> {
  if (token.split(".").length === 3) {
    const { kty = "", n = "", e = "", kid = "" } = key;
    const keys = createLocalJWKSet({ keys: [{ kty, n, e, kid, alg: "RS256" }] });
    const checks = { issuer, ...(audience === null ? {} : { audience }) };
    const verified = await jwtVerify(token, keys, checks).catch(() => undefined);
    const claims = claimsSchema.safeParse(verified?.payload);
    if (!claims.success) return undefined;
    return { subject: claims.data.sub, client_id: claims.data.client_id, scopes: scopesOf(claims.data.scope) };
  }
  const found = (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token));
  if (found === undefined || (audience !== null && found.aud !== audience)) return undefined;
  const { accountId, clientId, scope } = found;
  return { subject: accountId ?? clientId, client_id: clientId, scopes: scopesOf(scope) };
}

const consentPage = (action: string): string => `<!doctype html><title>Authorize</title>
<h1>Authorize this app to access your repositories?</h1>
<form method="post" action="${action}">
<button name="answer" value="authorize">Authorize</button>
<button name="answer" value="cancel">Cancel</button>
</form>`;

/** Who are you, and may this app: both are asked once, then the session knows. */
async function interact(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const interaction = await provider.interactionDetails(request, response);
  const isLogin = interaction.prompt.name === "login";
  const action = `/interaction/${interaction.uid}`;
  if (request.method !== "POST") {
    return send(response, 200, isLogin ? signInPage(action, accounts) : consentPage(action));
  }
  const form = new URLSearchParams(await bodyOf(request));
  if (isLogin) {
    const login = { accountId: form.get("person") };
    return provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
  }
  if (form.get("answer") !== "authorize") {
    const refused = { error: "access_denied", error_description: "The person cancelled" };
    return provider.interactionFinished(request, response, refused, { mergeWithLastSubmission: false });
  }
  const accountId = interaction.session?.accountId ?? "";
  const clientId = String(interaction.params["client_id"]);
  const known = interaction.grantId === undefined ? undefined : await provider.Grant.find(interaction.grantId);
  const grant = known ?? new provider.Grant({ accountId, clientId });
  const { missingOIDCScope, missingResourceScopes } = missing.parse(interaction.prompt.details);
  if (missingOIDCScope !== undefined) grant.addOIDCScope(missingOIDCScope.join(" "));
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(" "));
  }
  const consent = { grantId: await grant.save() };
  await provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}

const missing = z.looseObject({
  missingOIDCScope: z.array(z.string()).optional(),
  missingResourceScopes: z.record(z.string(), z.array(z.string())).optional(),
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += String(chunk);
    if (text.length > form_bytes_max) throw new Error("The form is too large.");
  }
  return text;
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, pageHeaders).end(text);
}
