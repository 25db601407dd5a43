/**
 * What a client says of itself, in a registration request or in its metadata document: read once, for both. Members that are not
 * named here are ignored, as are `software_statement` and everything that would be inherited from a prototype.
 * @see RFC 7591 section 2
 */
import * as z from "zod";
import { limits } from "../../limits.ts";
import { err, ok, type JsonObject, type Result } from "../../ports.ts";
import { redirectProblem } from "../redirects/index.ts";
import type { ClientAuthentication, JsonWebKeySet } from "../types.ts";
import { cleanName } from "./client-name.ts";
import { holdsPublicKeysOnly } from "./public-keys.ts";
import { jwksSchema } from "./registration.ts";

/** Grants of a client that nobody vouches for. Others that it names are left out of what is registered. @see RFC 7591 section 2 */
export const selfGrants = ["authorization_code", "refresh_token"] as const;
type SelfGrant = (typeof selfGrants)[number];

/** A client that nobody registered for it, as far as the tenant takes it. */
export interface SelfDescription {
  readonly name: string;
  readonly redirect_uris: readonly string[];
  readonly authentication: ClientAuthentication;
  /** Out of `selfGrants`. */
  readonly grant_types: readonly SelfGrant[];
  readonly jwks?: JsonWebKeySet | undefined;
  readonly jwks_uri?: string | undefined;
  readonly application_type?: "native" | "web" | undefined;
}

export interface MetadataProblem {
  readonly error: "invalid_redirect_uri" | "invalid_client_metadata";
  /** Public. */
  readonly sentence: string;
  /** Stable. */
  readonly reason: string;
}

export interface Taken {
  /** In the order of preference, where a client names several. */
  readonly authentications: readonly ClientAuthentication[];
  /** For a client that names no method. @see RFC 7591 section 2, token_endpoint_auth_method */
  readonly authentication_default: ClientAuthentication;
  readonly redirectUris_count: number;
}

const text = z.string().max(limits.authorizationParameter_chars);
const httpsUrl = text.refine((value) => URL.parse(value)?.protocol === "https:", "must be an https URL");
const webUrl = text.refine((value) => /^https?:$/.test(URL.parse(value)?.protocol ?? ""), "must be a web URL");
const words = z.array(text).max(50);

const membersSchema = z.object({
  redirect_uris: z.array(z.string()).min(1),
  client_name: text.optional(),
  token_endpoint_auth_method: text.optional(),
  /** Not in RFC 7591: ChatGPT's document names its choices so. */
  token_endpoint_auth_methods_supported: words.optional(),
  grant_types: words.optional(),
  response_types: words.optional(),
  jwks: jwksSchema.optional(),
  jwks_uri: httpsUrl.optional(),
  application_type: text.optional(),
  // Read by nobody here, but a page may link them one day, and what links to a script is no honest client.
  client_uri: webUrl.optional(),
  logo_uri: httpsUrl.optional(),
  policy_uri: httpsUrl.optional(),
  tos_uri: httpsUrl.optional(),
});

type Members = z.infer<typeof membersSchema>;

/** @param json parsed strictly: no member twice */
export function readMetadata(json: JsonObject, taken: Taken): Result<SelfDescription, MetadataProblem> {
  // Some clients send null for what they leave out.
  const present = Object.entries(json).filter(([, value]) => value !== null);
  const read = membersSchema.safeParse(Object.fromEntries(present));
  if (!read.success) {
    const [issue] = read.error.issues;
    const member = String(issue?.path[0] ?? "");
    return member === "redirect_uris"
      ? refused("invalid_redirect_uri", "redirect_uris", "redirect_uris must be an array with at least one URI")
      : refused("invalid_client_metadata", member, `${member} is not valid: ${issue?.message ?? ""}`);
  }
  const members = read.data;
  const redirects = checkRedirects(members.redirect_uris, taken);
  if (redirects !== undefined) return err(redirects);
  const authentication = authenticationOf(members, taken);
  if (authentication === undefined) {
    const offered = taken.authentications.join(", ");
    return refused(
      "invalid_client_metadata",
      "token_endpoint_auth_method",
      `token_endpoint_auth_method must be one of ${offered}`,
    );
  }
  const keys = checkKeys(members, authentication) ?? checkGrants(members, authentication);
  if (keys !== undefined) return keys;
  return ok(describe(members, authentication));
}

function describe(members: Members, authentication: ClientAuthentication): SelfDescription {
  const { jwks, jwks_uri, application_type } = members;
  return {
    name: cleanName(members.client_name ?? ""),
    redirect_uris: [...new Set(members.redirect_uris)],
    authentication,
    grant_types: grantsOf(members.grant_types),
    ...(authentication === "private_key_jwt" ? (jwks === undefined ? { jwks_uri } : { jwks }) : {}),
    ...(application_type === "native" || application_type === "web" ? { application_type } : {}),
  };
}

const refused = (error: MetadataProblem["error"], reason: string, sentence: string) =>
  err({ error, reason: `metadata_${reason}`, sentence });

function checkRedirects(uris: readonly string[], { redirectUris_count }: Taken): MetadataProblem | undefined {
  const error = "invalid_redirect_uri";
  if (uris.length > redirectUris_count) {
    return { error, reason: "redirect_count", sentence: `There may be ${redirectUris_count} redirect URIs` };
  }
  for (const uri of uris) {
    const problem = redirectProblem(uri);
    if (problem !== undefined) return { error, reason: problem.reason, sentence: problem.sentence };
  }
  return undefined;
}

function authenticationOf(members: Members, taken: Taken): ClientAuthentication | undefined {
  const { token_endpoint_auth_method: stated, token_endpoint_auth_methods_supported: choices } = members;
  // A stated method binds: a client that can sign must not be impersonated by one that does not.
  if (stated !== undefined) return taken.authentications.find((method) => method === stated);
  if (choices === undefined) return taken.authentication_default;
  const canSign = members.jwks !== undefined || members.jwks_uri !== undefined;
  return taken.authentications.find((method) => choices.includes(method) && (method !== "private_key_jwt" || canSign));
}

function checkKeys({ jwks, jwks_uri }: Members, authentication: ClientAuthentication) {
  if (jwks !== undefined && !holdsPublicKeysOnly(jwks)) {
    return refused("invalid_client_metadata", "jwks_secret", "jwks must hold public keys only");
  }
  if (jwks !== undefined && jwks_uri !== undefined) {
    return refused("invalid_client_metadata", "jwks_twice", "jwks and jwks_uri exclude each other");
  }
  if (authentication === "private_key_jwt" && jwks === undefined && jwks_uri === undefined) {
    return refused("invalid_client_metadata", "jwks_missing", "private_key_jwt needs jwks or jwks_uri");
  }
  return undefined;
}

/** A client that names none can use refresh tokens too: many leave the member out and expect them. */
const grantsOf = (named: readonly string[] | undefined): SelfGrant[] =>
  selfGrants.filter((grant) => named === undefined || named.includes(grant));

function checkGrants({ grant_types, response_types }: Members, authentication: ClientAuthentication) {
  if (!grantsOf(grant_types).includes("authorization_code")) {
    return refused("invalid_client_metadata", "grant_types", "grant_types must have authorization_code");
  }
  if (response_types !== undefined && !response_types.includes("code")) {
    return refused("invalid_client_metadata", "response_types", "response_types must have code");
  }
  if (authentication === "none" && grant_types?.includes("client_credentials") === true) {
    return refused(
      "invalid_client_metadata",
      "grant_without_authentication",
      "client_credentials needs a client that authenticates",
    );
  }
  return undefined;
}
