/** Every address that a server's configuration holds, judged by the one rule of egress before it is stored. */
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import type { AdminDependencies } from "./dependencies.ts";
import type { ServerWish } from "./server-wish.ts";
import { invalidField } from "./validation.ts";

/** URLs are shown and logged, so a secret in one would be. */
const secretParameter =
  /^(?:api[-_]?key|key|(?:access|auth|id|refresh)?[-_]?token|secret|client[-_]?secret|pass(?:word|wd)?|auth(?:orization)?|sig(?:nature)?|credentials?)$/i;

type Field = readonly [path: string, text: string | null | undefined];

/** What is called, or where a browser is sent. */
function addressesOf({ authentication, outbound_headers, agent_authentication }: ServerWish): readonly Field[] {
  return [
    ...(authentication.type === "oauth"
      ? [
          ["authentication.issuer", authentication.issuer] as const,
          ["authentication.endpoints.authorization", authentication.endpoints?.authorization] as const,
          ["authentication.endpoints.token", authentication.endpoints?.token] as const,
          ["authentication.endpoints.revocation", authentication.endpoints?.revocation] as const,
        ]
      : []),
    ...(authentication.type === "client_credentials"
      ? [
          ["authentication.issuer", authentication.issuer] as const,
          ["authentication.token_endpoint", authentication.token_endpoint] as const,
        ]
      : []),
    ...outbound_headers.map(
      (recipe, at) =>
        [
          `outbound_headers.${at}.token_endpoint`,
          "token_endpoint" in recipe ? recipe.token_endpoint : undefined,
        ] as const,
    ),
    ...(agent_authentication.type === "passthrough"
      ? [["agent_authentication.jwt.jwks_url", agent_authentication.jwt?.jwks_url] as const]
      : []),
  ];
}

/** Named in requests and nothing more. */
function identifiersOf({ authentication, outbound_headers }: ServerWish): readonly Field[] {
  return [
    ["authentication.resource", "resource" in authentication ? authentication.resource : undefined],
    ...outbound_headers.map(
      (recipe, at) => [`outbound_headers.${at}.resource`, "resource" in recipe ? recipe.resource : undefined] as const,
    ),
  ];
}

/** @returns the canonical URL of the server; `invalid_field` with the reason of the egress guard */
export function checkUrls(admin: AdminDependencies, wish: ServerWish): Result<string, Failure> {
  const url = checkAddress(admin, "url", wish.url);
  if (!url.ok) return url;
  const { authentication } = wish;
  if (authentication.type === "api_key_query" && url.value.searchParams.has(authentication.parameter)) {
    return err(invalidField("url", "already has the query parameter that authentication sets"));
  }
  for (const [path, text] of addressesOf(wish)) {
    const checked = typeof text === "string" ? checkAddress(admin, path, text) : ok(undefined);
    if (!checked.ok) return checked;
    if (path.endsWith(".issuer") && checked.value?.search !== undefined && checked.value.search !== "") {
      return err(invalidField(path, "must have no query (RFC 8414 section 2)"));
    }
  }
  for (const [path, text] of identifiersOf(wish)) {
    if (typeof text === "string" && (!URL.canParse(text) || text.includes("#"))) {
      return err(invalidField(path, "must be an absolute URI without fragment (RFC 8707 section 2)"));
    }
  }
  return ok(url.value.href);
}

function checkAddress(admin: AdminDependencies, path: string, text: string): Result<URL, Failure> {
  const checked = admin.checkUrl(text);
  if (!checked.ok) {
    const { detail, reason } = checked.error;
    const refused = invalidField(path, detail ?? "this address is not allowed");
    return err(failure(refused.code, refused.detail, { ...refused, reason: reason ?? checked.error.code }));
  }
  if ([...checked.value.searchParams.keys()].some((name) => secretParameter.test(name))) {
    const instead = path === "url" ? ": use authentication api_key_query, whose key is stored sealed" : "";
    return err(invalidField(path, `must not carry a credential${instead}`));
  }
  return checked;
}
