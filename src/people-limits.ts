/** Bounds of sign-in, of the authorization server, and of documents of others. They are part of `limits`. */
import { day, hour, KiB, minute, second } from "./units.ts";

export const peopleLimits = {
  // --- people and what they allow
  groupName_chars: 256,
  groupsPerServer_count: 50,
  /** Groups of a person that are kept: those that the tenant's rules name. Providers list thousands. */
  groupsPerUser_count: 200,
  /** Groups of an ID token that are looked at. */
  groupsClaim_count: 10_000,
  providersPerTenant_count: 20,
  /** A person signs in again after this at the latest, and after this without a page. */
  webSession_ms: 12 * hour,
  webSessionIdle_ms: 2 * hour,
  webSessionsPerUser_count: 50,
  /** `last_seen_at` is written this often. */
  webSessionTouch_ms: 5 * minute,
  /** From the redirect to the identity provider until the person is back. */
  signIn_ms: 10 * minute,
  /** Each costs requests to the identity provider. An office may be one network. */
  signInsPerNetwork_count: 600,
  signInsPerNetwork_ms: 5 * minute,
  webSessionsSweep_count: 100,
  usersPerTenant_count: 100_000,
  /** Names in a provider's rule for one role. */
  groupsPerRole_count: 100,
  emailsPerRole_count: 500,
  /** Paths hold sealed requests, and are sealed themselves in the address of the sign-in page: Cloudflare takes URLs of up to 16 KB. */
  returnPath_chars: 11 * KiB,
  /** Browsers keep at least 4,096 bytes of a cookie with its name and attributes (RFC 6265 section 6.1). */
  cookieValue_chars: 3_500,
  /** Sign-ins that one browser has under way; past this its oldest go. One with the longest path has room. */
  signInCookies_chars: 20 * KiB,
  cookies_chars: 32 * KiB,
  /** An answer of a provider's token or userinfo endpoint: tokens with many groups are large. */
  providerAnswer_ms: 10 * second,
  providerAnswer_bytes: 256 * KiB,
  logoutBody_bytes: 32 * KiB,
  /** Changing providers, trusted redirect URLs and the like needs a sign-in at most this old. */
  freshSignIn_ms: 15 * minute,

  // --- the authorization server
  accessToken_ms: 10 * minute,
  /** Of a token's groups, in characters of JSON: with 200 chosen servers it stays under `bearer_chars`. */
  tokenGroups_chars: 4 * KiB,
  /** A token that another isolate signed may seem to come from the future by this much. */
  tokenEarly_ms: 30 * second,
  /** Objects of revoked grants that are told at once; the others learn it from D1 when their client comes back. */
  grantsTold_count: 50,
  /** Rows that are over and are removed in one run of the cron. */
  grantSweep_count: 500,
  /** Revocations are kept for as long as a token could meet them, with room for clocks. */
  revocation_ms: 12 * minute,
  revocations_count: 10_000,
  /** RFC 6749 section 4.1.2 says at most ten minutes. */
  authorizationCode_ms: 60 * second,
  /** From the authorization request to the decision of the person, sign-in included. */
  authorizationRequest_ms: 10 * minute,
  /** A grant ends when its client did not come back for this long, and at the latest after that. */
  refreshIdle_ms: 30 * day,
  grantLife_ms: 180 * day,
  /** The direct predecessor of a refresh token gets the same successor again: its answer may have been lost. */
  refreshGrace_ms: 30 * second,
  /** Consents are remembered this long. */
  consent_ms: 90 * day,
  /** Remembered for one person; past that the oldest goes. */
  consentsPerUser_count: 500,
  /** Of them, for one client and endpoint: a native app asks from another port of loopback each time. */
  consentsPerClient_count: 10,
  /** How often one person can allow clients something: each grant that ends again is a row that every snapshot loads. */
  grantsMade_count: 60,
  grantsMade_ms: 60 * minute,
  /** Revoked redirect URIs in one statement: of at most 1,024 characters each, and D1 binds texts of up to 2 MB. */
  revokedRedirects_count: 1_000,
  /** Waits between tries to announce a change of D1 that could not be announced at once, behind the answer. */
  announceRetries_ms: [250, 1 * second, 4 * second],
  grantsPerUser_count: 500,
  grantHistory_ms: 90 * day,
  authorizationParameter_chars: 2_048,
  state_chars: 1_024,
  tokenBody_bytes: 64 * KiB,
  signingKeyActive_ms: 30 * day,
  /** A new key is published this long before it signs. */
  signingKeyAhead_ms: 1 * day,
  verifiedTokens_count: 5_000,
  signingKeys_count: 100,
  /** Failed authentications of one client from one network, before it is held off. */
  clientFailures_count: 20,
  clientFailures_ms: 5 * minute,
  /** Unsigned or forged assertions of one issuer that one network presents, before it is held off. */
  assertionFailures_count: 60,
  /** The same of issuers that nobody trusts: nobody has a reason to come back with one. */
  unknownIssuers_count: 8,
  assertionFailures_ms: 5 * minute,
  redirectUrisPerClient_count: 20,
  /** Documents of large vendors list the callbacks of all their products. */
  documentRedirectUris_count: 100,
  redirectUri_chars: 1_024,
  trustedRedirects_count: 200,
  blockedRedirects_count: 200,
  clientName_chars: 100,
  dynamicClient_ms: 90 * day,
  dynamicClients_count: 5_000,
  /** Expired ones that one registration clears away. */
  dynamicClientsSweep_count: 100,
  registrationsPerNetwork_count: 20,
  registrationsPerTenant_count: 200,
  registrations_ms: 1 * hour,
  /** Twenty redirect URIs of the largest size and a key set. */
  registrationBody_bytes: 64 * KiB,
  agents_count: 10_000,
  /** Of them, those that nobody allowed anything yet: anybody can make some, so the ones seen longest ago go. */
  agentsUnowned_count: 1_000,
  /** Blocked authorizations from one network that become events of their own; more are counted like those of unknown callers. */
  blockedEvents_count: 60,
  blockedEvents_ms: 5 * minute,
  agentUsesPerAgent_count: 500,
  /** Assertions of clients, workloads and identity providers live no longer than this, whatever they claim. */
  assertionLife_ms_max: 60 * minute,
  /** Clusters give jobs tokens of an hour and a few seconds, or of a day. */
  workloadLife_ms_max: 25 * hour,
  clientAssertionLife_ms_max: 5 * minute,
  /** An identity assertion lets a client act for a person, once. */
  idJagLife_ms_max: 5 * minute,
  /** RFC 7519 section 4.1.4: "usually no more than a few minutes". */
  clockSkew_ms: 60 * second,
  jwt_chars: 16 * KiB,
  /** `alg` and `typ`; the longest registered type has 30. */
  jwtName_chars: 64,
  jwtKeyId_chars: 512,
  /** `iss`, `sub`, `jti` and each audience. */
  jwtClaim_chars: 2_048,
  jwtAudiences_count: 100,
  /** Of a public key, in base64url: an RSA modulus of 8,192 bits. A longer one only costs CPU. */
  jwkPart_chars: 1_366,

  // --- documents of others: client metadata, discovery, key sets
  clientDocument_bytes: 64 * KiB,
  discoveryDocument_bytes: 512 * KiB,
  documentFetch_ms: 5 * second,
  /** Asked for no more often than this, whatever its headers say: one sign-in needs it several times, and many forbid to keep it. */
  documentLife_ms_min: 1 * minute,
  documentLife_ms: 1 * hour,
  documentLife_ms_max: 24 * hour,
  /** A key set is asked for again for an unknown key id at most this often. */
  documentCooldown_ms: 30 * second,
  /** While its host is down, an old document stands in this long. */
  documentStale_ms_max: 24 * hour,
  /** The same for a client's document or keys: people whose client refreshes after days off must not depend on what strangers ask for. */
  clientDocumentStale_ms_max: 7 * day,
  /** Different documents of one host that a tenant fetches in a minute: nobody aims us at a victim. */
  documentsPerHost_count: 20,
  documentsPerHost_ms: 1 * minute,
  documentLease_ms: 10 * second,
  /** Those who wait give up after this: one holder that died, and the next one's request. */
  documentWait_ms: 20 * second,
  /** Leases that an object of one host has out: they are in memory, and given before anybody paid for a fetch. */
  documentLeases_count: 200,
  /** Documents of one host and kind that are kept. The oldest go first. */
  documentsKept_count: 100,
  /** Fetches for clients that nobody knows yet, in a tenant: whoever invents client ids cannot make it call hosts without end. */
  documentsPerTenant_count: 300,
  documentsPerTenant_ms: 1 * minute,
  /** The same from one network: less than a host may be asked, so that no single network spends the budget of one. */
  documentsPerNetwork_count: 15,
  documentsPerNetwork_ms: 1 * minute,
  /** Expired rows that one write clears away. */
  usedIdsSweep_count: 100,
  attemptsSweep_count: 100,
  jwks_keys_count: 64,
} as const;
