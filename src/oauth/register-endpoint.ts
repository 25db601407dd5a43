/**
 * Clients that register themselves. The endpoint is open to everybody, so it is bounded in every direction: per network and tenant in
 * time, in number, and in how long a registration that nobody uses is kept. There is no registration access token and no endpoint to
 * change or read a registration (RFC 7592), so none is named in the answer.
 * @see RFC 7591 section 3
 */
import { isJson, readBody } from "../body.ts";
import { openDatabase } from "../db/index.ts";
import { authEvent, type Visit } from "../login/index.ts";
import { limits } from "../limits.ts";
import { err, type Result } from "../ports.ts";
import { countAttempt, readJson, type AttemptRule } from "../trust/index.ts";
import { noteAgent } from "./agents/index.ts";
import {
  dynamicClients,
  mintClientSecret,
  readMetadata,
  type DynamicClient,
  type DynamicMetadata,
  type SelfDescription,
  type Taken,
} from "./clients/index.ts";
import { oauthError, toOAuthResponse, uncached, type OAuthError } from "./oauth-error.ts";
import { requiredScope } from "./tokens/access-claims.ts";
import { refuseMethod } from "./tokens/form.ts";

const taken: Taken = {
  authentications: ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
  // RFC 7591 section 2; a client that wants to be public says so.
  authentication_default: "client_secret_basic",
  redirectUris_count: limits.redirectUrisPerClient_count,
};

const unnamed = "Unnamed client";

const perNetwork: AttemptRule = {
  purpose: "registration_network",
  count_max: limits.registrationsPerNetwork_count,
  window_ms: limits.registrations_ms,
};
const perTenant: AttemptRule = {
  purpose: "registration_tenant",
  count_max: limits.registrationsPerTenant_count,
  window_ms: limits.registrations_ms,
};

/** `POST /oauth/register`: 201 with the registration as it is stored, or an error of RFC 7591 section 3.2.2. */
export async function handleRegister(visit: Visit, request: Request): Promise<Response> {
  const refused = refuseMethod(request);
  if (refused !== undefined) return refused;
  const described = await readRequest(visit, request);
  if (!described.ok) return refuse(visit, described.error);
  const { platform, tenant } = visit;
  const { clock, random } = platform.ports;
  const now = clock.now();
  const metadata = storable(described.value);
  const hasSecret = metadata.authentication.startsWith("client_secret_");
  const minted = hasSecret ? await mintClientSecret(random) : undefined;
  const client: DynamicClient = {
    id: random.uuid(),
    metadata,
    secret_hash: minted?.hash ?? null,
    created_at: now,
    expires_at: now + limits.dynamicClient_ms,
  };
  const inserted = await dynamicClients(openDatabase(platform.bindings.DB), tenant.id).insert(client, now);
  if (inserted === "full") return refuse(visit, full);

  await noteRegistration(visit, client);
  return Response.json(answerOf(client, minted?.secret), { status: 201, headers: uncached });
}

async function readRequest(visit: Visit, request: Request): Promise<Result<SelfDescription, OAuthError>> {
  if (!visit.snapshot.settings.registration.dynamic) return err(switchedOff);
  if (!isJson(request.headers.get("content-type"))) return err(notJson("content_type"));
  const { platform, tenant, source } = visit;
  const database = openDatabase(platform.bindings.DB);
  const { clock } = platform.ports;
  const now = clock.now();
  if (!(await countAttempt(database, tenant.id, perNetwork, source.network, now))) return err(tooMany("network"));
  const body = await readBody(request, limits.registrationBody_bytes, clock);
  if (!body.ok) return err(oauthError("invalid_client_metadata", "The body could not be read", "registration_body"));
  const json = readJson(body.value);
  if (!json.ok) return err(notJson("body"));
  const read = readMetadata(json.value, taken);
  if (!read.ok) return err(oauthError(read.error.error, read.error.sentence, read.error.reason));
  // Only what would be stored counts for all: nobody uses up the tenant's share with refusals.
  if (!(await countAttempt(database, tenant.id, perTenant, "", now))) return err(tooMany("tenant"));
  return read;
}

const switchedOff = oauthError(
  "access_denied",
  "Clients cannot register themselves here: ask an administrator to register this one",
  "registration_off",
);
const full = oauthError(
  "temporarily_unavailable",
  "No more clients can register themselves now: ask an administrator to register this one",
  "registrations_full",
  { "retry-after": String(limits.registrations_ms / 1_000) },
);
const notJson = (reason: string): OAuthError =>
  oauthError(
    "invalid_client_metadata",
    "The body must be one JSON object, as application/json",
    `registration_${reason}`,
  );
const tooMany = (whose: string): OAuthError =>
  oauthError("slow_down", "Too many registrations: try again later", `registrations_${whose}`, {
    "retry-after": String(limits.registrations_ms / 1_000),
  });

/** Nobody knows who asks, so refusals are counted and never an event each. */
function refuse(visit: Visit, error: OAuthError): Response {
  visit.countUnknown(error.reason);
  return toOAuthResponse(error);
}

function storable({ name, redirect_uris, authentication, grant_types, ...more }: SelfDescription): DynamicMetadata {
  const { jwks, jwks_uri, application_type } = more;
  return {
    name: name === "" ? unnamed : name,
    redirect_uris: [...redirect_uris],
    authentication,
    grant_types: [...grant_types],
    ...(jwks === undefined ? {} : { jwks: { keys: jwks.keys.map((key) => ({ ...key })) } }),
    ...(jwks_uri === undefined ? {} : { jwks_uri }),
    ...(application_type === undefined ? {} : { application_type }),
  };
}

async function noteRegistration(visit: Visit, { id, metadata }: DynamicClient): Promise<void> {
  await noteAgent(visit, { client: { id, kind: "dynamic", name: metadata.name } });
  const act = { action: "client.register", outcome: "ok", agent: id, client_name: metadata.name } as const;
  // The recorder has logged what it could not record. Nobody has allowed the client anything yet.
  await visit.recorder.record(authEvent(visit, { ...act, redirect_uri: metadata.redirect_uris[0] }));
}

/**
 * What is stored, and the secret for the only time.
 * @see RFC 7591 section 3.2.1
 */
function answerOf(
  { id, metadata, created_at }: DynamicClient,
  secret: string | undefined,
): Readonly<Record<string, unknown>> {
  const { jwks, jwks_uri, application_type } = metadata;
  return {
    client_id: id,
    client_id_issued_at: Math.floor(created_at / 1_000),
    // Zero: it ends with the registration, which lives on while it is used.
    ...(secret === undefined ? {} : { client_secret: secret, client_secret_expires_at: 0 }),
    client_name: metadata.name,
    redirect_uris: metadata.redirect_uris,
    token_endpoint_auth_method: metadata.authentication,
    grant_types: metadata.grant_types,
    response_types: ["code"],
    scope: requiredScope,
    ...(jwks === undefined ? {} : { jwks }),
    ...(jwks_uri === undefined ? {} : { jwks_uri }),
    ...(application_type === undefined ? {} : { application_type }),
  };
}
