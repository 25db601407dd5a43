/** Bounds of credentials for other systems, and of ways to get them. They are part of `limits`. */
import { day, hour, KiB, minute, second } from "./units.ts";

export const connectionLimits = {
  // --- credentials in use
  /** In memory only (U12); a revocation empties it sooner. */
  credentialCache_ms: 60 * second,
  credentialCache_count: 5_000,
  connectionsPerUser_count: 200,
  accountsPerTarget_count: 10,
  accountName_chars: 64,
  /** Two that write the same connection at once: the later one tries again. */
  connectionWrites_count: 3,
  /** A token is renewed this long before it ends, so that it does not end on its way. */
  renewAhead_ms: 60 * second,
  /** Who renews holds the others off for this long: two answers of a token endpoint that is slow. */
  renewLease_ms: 25 * second,
  /** And those wait for it so long. */
  renewWait_ms: 20 * second,
  /** Each round ends with a row that moved on: a holder that died, and others that were faster. */
  renewRounds_count: 6,
  /** After a renewal that failed for a reason that passes, the provider is left in peace: this long, or as long as it says. */
  renewPause_ms: 5 * second,
  renewPause_ms_max: 10 * minute,
  /** A token that a server refuses is renewed before its time at most once in this. */
  forcedRenewal_ms: 60 * second,
  /** Requests for more scope after one link, before a person has to link by themselves (UP-19). */
  stepUps_count: 2,
  /** Tokens whose issuer does not tell when they end are taken to be good this long, then tried on. */
  tokenLifeUnknown_ms: 1 * hour,
  tokenLife_ms_outermost: 366 * 24 * hour,

  // --- authorization servers of upstreams
  tokenAnswer_ms: 10 * second,
  tokenAnswer_bytes: 64 * KiB,
  registrationAnswer_bytes: 64 * KiB,
  /** Of those that a server names, the first that is usable is taken; so many are looked at. */
  authorizationServers_count: 5,
  /** Registrations of ours for one server over time: the oldest that nothing is connected with go, and with as many in use no doubt makes another. */
  upstreamClientsPerServer_count: 20,
  /** Links that began with one registration and of which none came back: it may be lost at the provider, so the next one registers anew. */
  lostLinks_count: 3,
  /** But not sooner after the last registration: it is for doubts, and people also just close the page. */
  registrationPause_ms: 10 * minute,
  /** A token of an upstream, and what is sealed of it together. */
  foreignToken_chars: 16 * KiB,
  scopes_count: 100,
  scope_chars: 4 * KiB,
  /** Of `WWW-Authenticate`, before it is read. */
  challenge_chars: 8 * KiB,
  challenges_count: 10,

  // --- linking
  /** From the moment a link is made until it is used. */
  link_ms: 15 * minute,
  /** A call that asked for it waits for the person: less than the minute after which clients give up a request. */
  linkWait_ms: 45 * second,
  linkPoll_ms: 1 * second,
  /** The call that waits for it may come back a while after that. */
  linkState_ms: 20 * minute,
  /** Begun and not ended, of one person. */
  linkAttemptsPerUser_count: 50,
  linkAttemptsSweep_count: 100,
  credentialHint_chars: 1_000,
  /** Waiting for a server to take a key that was just pasted. */
  liveCheck_ms: 10 * second,

  // --- unlinking
  /** A provider that cannot be told is told again this often and this many times; then the credential goes all the same (VT-15). */
  revocationRetry_ms: 60 * second,
  revocationTries_count: 4,
  revocationsPerRun_count: 50,

  // --- headers
  outboundHeaders_count: 20,
  headerPattern_chars: 128,
  headerPatterns_count: 50,
  /** Of the caller, to one server. */
  forwardedHeaders_count: 50,
  forwardedHeaders_chars: 16 * KiB,
  pastedKeys_count: 20,
  /** A caller's own JWT is verified anew after this: a key that its issuer took back ends with it. */
  callerVerified_ms: 60 * second,
  callersVerified_count: 5_000,
  /** Of a signed assertion about the caller. */
  callerAssertion_ms: 2 * minute,
  /** An administrator reads what a dear change means, and says it again. */
  confirmation_ms: 10 * minute,

  // --- the vault
  storedCredentials_count: 500,
  /** Records that one run of the timer seals anew, each minute: a quarter of the CPU time that a run has. */
  rewrap_count: 250,
  /** Of them, in one transaction. Its texts go to D1 as one value, which may have 2 MB, with what they replace. */
  rewrapBatch_count: 100,
  rewrapBatch_chars: 512 * KiB,
  /** After a change of keys, an isolate of the old version seals under the old key for as long as it answers: a stream lives 30 minutes. */
  rewrapSettle_ms: 1 * hour,
  /** What clients carry under the old key is of use for as long as this: session ids, and refresh tokens that nobody used. */
  oldKey_ms: 30 * day,
} as const;
