/**
 * An OpenID provider on loopback, for local runs and system tests: `oidc-provider` with people who sign in by pressing their name.
 * It remembers who signed in, so that a second sign-in asks nothing, and tells its clients when somebody signs out.
 */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK, type JWTPayload } from "jose";
import { Provider } from "oidc-provider";
import { createMemoryAdapter } from "oidc-provider/lib/adapters/memory_adapter.js";
import { errorPage, pageHeaders, signedOutPage, signInPage, signOutPage, type Person } from "./identity-pages.ts";

export type { Person } from "./identity-pages.ts";

/** Ada administrates and builds; Ben is anybody. */
export const samplePeople: readonly Person[] = [
  { id: "ada", email: "ada@example.test", name: "Ada Lovelace", groups: ["administrators", "engineering"] },
  { id: "ben", email: "ben@example.test", name: "Ben Trovato", groups: ["sales"] },
];

export interface IdentityProviderOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  readonly people?: readonly Person[];
  /** Of its one client. */
  readonly redirect_uris: readonly string[];
  readonly post_logout_redirect_uris?: readonly string[];
  readonly backchannel_logout_uri?: string;
  readonly client_id?: string;
  /** Random without it. */
  readonly client_secret?: string;
  /** From `newIdentityKey()`; a new one without it. Kept over restarts, so that cached key sets stay good. */
  readonly key?: JWK;
  /** Seconds. */
  readonly idTokenLife_s?: number;
}

export interface IdentityProvider {
  readonly issuer: string;
  readonly client_id: string;
  readonly client_secret: string;
  /** Any JWT under its key, for instance an ID-JAG or a workload's token; the caller says all claims but `iss` and `iat`. */
  sign(claims: JWTPayload, typ?: string): Promise<string>;
  close(): Promise<void>;
}

const hour_s = 3600;
const body_bytes_max = 4096;

/** A private RS256 key: what most providers sign ID tokens with. */
export async function newIdentityKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const kid = randomBytes(8).toString("base64url");
  return { ...(await exportJWK(privateKey)), alg: "RS256", use: "sig", kid };
}

/** @throws when the port is taken */
export async function startIdentityProvider(options: IdentityProviderOptions): Promise<IdentityProvider> {
  const people = options.people ?? samplePeople;
  const client = {
    client_id: options.client_id ?? "gatehouse",
    client_secret: options.client_secret ?? randomBytes(32).toString("base64url"),
  };
  const key = options.key ?? (await newIdentityKey());
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : 0;
  const issuer = `http://127.0.0.1:${bound}`;
  const provider: Provider = new Provider(
    issuer,
    configurationOf(options, people, client, key, () => provider),
  );
  const answer = provider.callback();
  server.on("request", (request, response) => {
    if (!(request.url ?? "").startsWith("/interaction/")) return answer(request, response);
    interact(provider, people, request, response).catch((error: unknown) => {
      send(response, 400, errorPage("interaction", error instanceof Error ? error.message : "unknown"));
    });
  });

  return {
    issuer,
    ...client,
    async sign(claims, typ = "JWT") {
      const { kid = "" } = key;
      const header = { alg: "RS256", kid, typ };
      return new SignJWT({ iss: issuer, ...claims })
        .setProtectedHeader(header)
        .setIssuedAt(claims.iat)
        .sign(await importJWK(key, "RS256"));
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** What the callbacks of `oidc-provider` read of its context. */
interface Context {
  type: string;
  body: unknown;
  set(headers: Readonly<Record<string, string>>): void;
  readonly oidc: {
    readonly client?: { readonly clientId: string };
    readonly session?: { readonly accountId?: string; grantIdFor(clientId: string): string | undefined };
    readonly requestParamScopes: ReadonlySet<string>;
  };
}

function show(context: Context, text: string): void {
  context.set(pageHeaders);
  context.body = text;
}

/** @see https://github.com/panva/node-oidc-provider/blob/main/docs/README.md */
function configurationOf(
  options: IdentityProviderOptions,
  people: readonly Person[],
  client: { readonly client_id: string; readonly client_secret: string },
  key: JWK,
  provider: () => Provider,
): object {
  return {
    adapter: createMemoryAdapter(15),
    jwks: { keys: [key] },
    cookies: {
      keys: [randomBytes(32).toString("base64url")],
      // Cookies know no ports: these would otherwise meet those of other programs on this address.
      names: { session: "_idp_session", interaction: "_idp_interaction", resume: "_idp_resume" },
    },
    clients: [
      {
        ...client,
        client_name: "Gatehouse",
        redirect_uris: options.redirect_uris,
        post_logout_redirect_uris: options.post_logout_redirect_uris ?? [],
        grant_types: ["authorization_code", "refresh_token"],
        require_auth_time: true,
        ...(options.backchannel_logout_uri === undefined
          ? {}
          : { backchannel_logout_uri: options.backchannel_logout_uri, backchannel_logout_session_required: true }),
      },
    ],
    // As the providers of companies do: e-mail and groups are in the ID token.
    conformIdTokenClaims: false,
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
    scopes: ["openid", "email", "profile", "groups", "offline_access"],
    pkce: { required: () => true },
    issueRefreshToken: (_context: Context, of: { grantTypeAllowed(type: string): boolean }) =>
      of.grantTypeAllowed("refresh_token"),
    rotateRefreshToken: true,
    ttl: {
      AccessToken: hour_s,
      AuthorizationCode: 60,
      Grant: 24 * hour_s,
      IdToken: options.idTokenLife_s ?? hour_s,
      Interaction: hour_s,
      RefreshToken: 24 * hour_s,
      Session: 24 * hour_s,
    },
    interactions: { url: (_context: Context, { uid }: { uid: string }) => `/interaction/${uid}` },
    async findAccount(_context: Context, id: string) {
      const person = people.find((one) => one.id === id);
      if (person === undefined) return undefined;
      const { email, name, groups } = person;
      return { accountId: id, claims: async () => ({ sub: id, email, email_verified: true, name, groups }) };
    },
    /** The one client belongs to the organisation, so nobody is asked whether it may know who they are. */
    async loadExistingGrant({ oidc }: Context) {
      const accountId = oidc.session?.accountId;
      const clientId = oidc.client?.clientId;
      if (accountId === undefined || clientId === undefined) return undefined;
      const { Grant } = provider();
      const id = oidc.session?.grantIdFor(clientId);
      const known = id === undefined ? undefined : await Grant.find(id);
      // A new one would end the refresh tokens of the sign-ins before.
      const grant = known ?? new Grant({ accountId, clientId });
      grant.addOIDCScope([...oidc.requestParamScopes].join(" "));
      await grant.save();
      return grant;
    },
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: async (context: Context, form: string) => show(context, signOutPage(form)),
        postLogoutSuccessSource: async (context: Context) => show(context, signedOutPage()),
      },
    },
    renderError: async (context: Context, out: { error?: string; error_description?: string }) =>
      show(context, errorPage(out.error ?? "error", out.error_description ?? "")),
    /** Back-channel logout goes to a loopback address, which the guard of `oidc-provider` refuses; and nowhere else. */
    fetch(url: string | URL, { dispatcher: _guard, ...init }: RequestInit & { dispatcher?: unknown }) {
      const { hostname } = new URL(url);
      if (hostname !== "localhost" && hostname !== "127.0.0.1" && !hostname.endsWith(".localhost")) {
        throw new Error("The local identity provider calls this machine only.");
      }
      return fetch(url, init);
    },
  };
}

/** The sign-in page, and the press of a name on it. */
async function interact(
  provider: Provider,
  people: readonly Person[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { uid } = await provider.interactionDetails(request, response);
  if (request.method !== "POST") return send(response, 200, signInPage(`/interaction/${uid}`, people));
  const accountId = new URLSearchParams(await bodyOf(request)).get("person");
  if (!people.some(({ id }) => id === accountId)) {
    return send(response, 400, errorPage("unknown_person", "There is nobody of this name."));
  }
  await provider.interactionFinished(request, response, { login: { accountId } }, { mergeWithLastSubmission: false });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += String(chunk);
    if (text.length > body_bytes_max) throw new Error("The form is too large.");
  }
  return text;
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, pageHeaders).end(text);
}
