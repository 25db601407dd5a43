/** What an authorization server publishes about itself. */
import * as z from "zod";
import { limits } from "../../limits.ts";
import { ok, type JsonObject, type Result } from "../../ports.ts";
import type { Base, TokenFailure } from "../types.ts";
import { browserEndpoint, endpoint } from "./endpoints.ts";
import { wrong } from "./failures.ts";
import { scopesOf, wordsSchema } from "./lists.ts";
import { lookIn } from "./look.ts";
import { isSameIssuer, serverMetadataUrls } from "./well-known.ts";

export interface ServerMetadata {
  /** As it calls itself. */
  readonly issuer: string;
  readonly authorization_endpoint?: string;
  readonly token_endpoint: string;
  readonly registration_endpoint?: string;
  readonly revocation_endpoint?: string;
  /** RFC 9207 section 3. */
  readonly names_issuer: boolean;
  /** draft-ietf-oauth-client-id-metadata-document section 5. */
  readonly takes_documents: boolean;
  readonly has_pkce: boolean;
  readonly scopes_supported: readonly string[];
  /** Values of `prompt`. OpenID Connect Prompt Create 1.0 section 4.2 */
  readonly prompts_supported: readonly string[];
  /** Undefined where it does not say. */
  readonly authentication_methods?: readonly string[];
}

const url = z.string().min(1).max(limits.upstreamUrl_chars).nullish();
const flag = z.boolean().nullish();

const metadataSchema = z.object({
  issuer: z.string().min(1).max(limits.upstreamUrl_chars),
  authorization_endpoint: url,
  token_endpoint: url,
  registration_endpoint: url,
  revocation_endpoint: url,
  scopes_supported: wordsSchema,
  prompt_values_supported: wordsSchema,
  code_challenge_methods_supported: wordsSchema,
  token_endpoint_auth_methods_supported: wordsSchema,
  authorization_response_iss_parameter_supported: flag,
  client_id_metadata_document_supported: flag,
});

/**
 * @param issuer as it was named: configured, or by the server's document
 * @returns undefined when it publishes nothing
 * @see RFC 8414 sections 3.2 and 3.3
 */
export async function findServerMetadata(
  base: Base,
  issuer: string,
): Promise<Result<ServerMetadata | undefined, TokenFailure>> {
  if (endpoint(base, issuer) === undefined) return wrong("issuer_not_allowed");
  const identifier = new URL(issuer);
  // RFC 8414 section 2: no query, no fragment. The latter is refused with the address.
  if (identifier.search !== "") return wrong("issuer_invalid");
  const looked = await lookIn(base, serverMetadataUrls(identifier), "metadata");
  if (!looked.ok) return looked;
  return looked.value === undefined ? ok(undefined) : readServerMetadata(base, looked.value, issuer);
}

function readServerMetadata(base: Base, json: JsonObject, issuer: string): Result<ServerMetadata, TokenFailure> {
  const parsed = metadataSchema.safeParse(json);
  if (!parsed.success) return wrong("metadata_invalid");
  const told = parsed.data;
  // Letter by letter but for a slash at the end: `https://as.test` and `https://as.test/` are one document of one host, and half of all
  // servers write the one in their own document and the other in that of their authorization server.
  if (!isSameIssuer(told.issuer, issuer)) return wrong("metadata_issuer");
  const endpoints = endpointsOf(base, told);
  if (!endpoints.ok) return endpoints;
  // An issuer of this form stands for one that is not known: see `issuerDefect`.
  if (endpoints.value.token_endpoint === told.issuer) return wrong("metadata_invalid");
  const methods = told.token_endpoint_auth_methods_supported;
  return ok({
    issuer: told.issuer,
    ...endpoints.value,
    names_issuer: told.authorization_response_iss_parameter_supported === true,
    takes_documents: told.client_id_metadata_document_supported === true,
    has_pkce: told.code_challenge_methods_supported?.includes("S256") === true,
    scopes_supported: scopesOf(told.scopes_supported ?? []),
    prompts_supported: told.prompt_values_supported ?? [],
    ...(methods === undefined || methods === null ? {} : { authentication_methods: methods }),
  });
}

type Endpoints = Pick<
  ServerMetadata,
  "authorization_endpoint" | "token_endpoint" | "registration_endpoint" | "revocation_endpoint"
>;

/** One that is not allowed spoils all: the document is not to be trusted then. */
function endpointsOf(base: Base, told: z.infer<typeof metadataSchema>): Result<Endpoints, TokenFailure> {
  const token_endpoint = endpoint(base, told.token_endpoint ?? "");
  if (token_endpoint === undefined) return wrong("token_endpoint_not_allowed");
  const checked = {
    authorization_endpoint: checkedOf(told.authorization_endpoint, (text) => browserEndpoint(base, text)),
    registration_endpoint: checkedOf(told.registration_endpoint, (text) => endpoint(base, text)),
    revocation_endpoint: checkedOf(told.revocation_endpoint, (text) => endpoint(base, text)),
  };
  const refused = Object.entries(checked).find(([, value]) => value === "refused");
  if (refused !== undefined) return wrong(`${refused[0]}_not_allowed`);
  const given = Object.entries(checked).filter(([, value]) => value !== undefined);
  return ok({ ...Object.fromEntries(given), token_endpoint });
}

function checkedOf(text: string | null | undefined, check: (text: string) => string | undefined): string | undefined {
  return text === undefined || text === null ? undefined : (check(text) ?? "refused");
}
