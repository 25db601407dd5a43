/** What a registration for OAuth must be beyond the form of its members. */
import type { StoredClient } from "../admission/index.ts";
import type { Failure } from "../errors.ts";
import {
  holdsPublicKeysOnly,
  redirectProblem,
  registrationMetadataSchema,
  type RegistrationMetadata,
} from "../oauth/index.ts";
import { ok, err, type Result } from "../ports.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { invalidFields, type FieldError } from "./validation.ts";

export const oauthField = registrationMetadataSchema
  .meta({ id: "ClientOAuth" })
  .describe("How the client may get access tokens. Its secrets are under `/clients/{id}/secrets`.");

const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";

type Problem = readonly [isBroken: (oauth: RegistrationMetadata) => boolean, path: string, message: string];

const has = (oauth: RegistrationMetadata, grant: RegistrationMetadata["grant_types"][number]): boolean =>
  oauth.grant_types.includes(grant);
const withCode = (oauth: RegistrationMetadata): boolean => has(oauth, "authorization_code");
const isPublic = (oauth: RegistrationMetadata): boolean => oauth.authentication === "none";
const keySources = ({ jwks, jwks_uri }: RegistrationMetadata): number =>
  [jwks, jwks_uri].filter((source) => source !== undefined).length;
const repeats = (list: readonly string[]): boolean => new Set(list).size < list.length;

// prettier-ignore
const problems: readonly Problem[] = [
  [(oauth) => repeats(oauth.grant_types),                                     "grant_types",    "names a grant twice"],
  [(oauth) => has(oauth, "refresh_token") && !withCode(oauth),                "grant_types",    "refresh_token comes with authorization_code only"],
  [(oauth) => has(oauth, "client_credentials") && isPublic(oauth),            "grant_types",    "client_credentials needs a client that authenticates: not authentication none"],
  [(oauth) => repeats(oauth.redirect_uris),                                   "redirect_uris",  "names a URI twice"],
  [(oauth) => withCode(oauth) && oauth.redirect_uris.length === 0,            "redirect_uris",  "authorization_code needs at least one"],
  [(oauth) => !withCode(oauth) && oauth.redirect_uris.length > 0,             "redirect_uris",  "only authorization_code uses them"],
  [(oauth) => oauth.authentication === "private_key_jwt" && keySources(oauth) !== 1, "jwks",    "private_key_jwt needs exactly one of jwks and jwks_uri"],
  [(oauth) => oauth.authentication !== "private_key_jwt" && keySources(oauth) > 0,   "jwks",    "only private_key_jwt uses jwks and jwks_uri"],
  [({ jwks }) => jwks !== undefined && !holdsPublicKeysOnly(jwks),            "jwks",           "must hold public keys only. A private key that was sent here must not be used any more"],
  [(oauth) => oauth.pre_approved && (isPublic(oauth) || !withCode(oauth)),    "pre_approved",   "is for confidential clients with authorization_code: anybody can pose as a public one"],
  [(oauth) => oauth.workloads.length > 0 && !has(oauth, jwtBearer),           "workloads",      `need the grant ${jwtBearer}`],
];

/** @returns the registration, its problems as `invalid_field` with their paths below `oauth` */
export function checkOAuth(
  admin: AdminDependencies,
  oauth: RegistrationMetadata,
): Result<RegistrationMetadata, Failure> {
  const found: FieldError[] = problems
    .filter(([isBroken]) => isBroken(oauth))
    .map(([, path, message]) => ({ path: `oauth.${path}`, message }));
  for (const [index, uri] of oauth.redirect_uris.entries()) {
    const problem = redirectProblem(uri);
    if (problem !== undefined) found.push({ path: `oauth.redirect_uris.${index}`, message: problem.sentence });
  }
  const addresses: (readonly [string, string | undefined])[] = [
    ["oauth.jwks_uri", oauth.jwks_uri],
    ...oauth.workloads.flatMap(({ issuer, jwks_uri }, index): [string, string | undefined][] => [
      [`oauth.workloads.${index}.issuer`, issuer],
      [`oauth.workloads.${index}.jwks_uri`, jwks_uri],
    ]),
  ];
  for (const [path, url] of addresses) {
    const checked = url === undefined ? undefined : admin.checkUrl(url);
    if (checked?.ok === false) found.push({ path, message: checked.error.detail ?? "this address is not allowed" });
  }
  return found.length === 0 ? ok(oauth) : err(invalidFields(found));
}

type State = Pick<StoredClient, "enabled" | "oauth">;

/** Whether a change voids access tokens: a registration that changed in any way may allow less than tokens of before hold. */
export function voidsTokens(before: State, after: State): boolean {
  if (before.oauth === null) return false;
  return (before.enabled && !after.enabled) || JSON.stringify(before.oauth) !== JSON.stringify(after.oauth);
}

/** Whether people may have granted it anything. */
export const mayHoldGrants = ({ enabled, oauth }: State): boolean => enabled && oauth !== null && withCode(oauth);
