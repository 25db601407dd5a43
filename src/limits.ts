/** Every bound of the program with its unit and its reason. A list, cache, body, wait or retry without a line here is a defect. */
import { connectionLimits } from "./connection-limits.ts";
import { peopleLimits } from "./people-limits.ts";
import { day, hour, KiB, MiB, minute, second } from "./units.ts";

export const limits = {
  // --- requests from clients
  /** An MCP message; the SDKs' own default. Larger: 413. */
  mcpBody_bytes: 4 * MiB,
  /** workerd never times a request body out: without this a stalled client holds memory for ever. */
  bodyRead_ms: 10 * second,
  /** Deeper JSON is an attack on some parser behind us; the deepest tool schema seen in the field has 14 levels. */
  jsonDepth_levels: 64,
  /** In the envelope, `params` and their objects, whose keys are compared with the protocol's; arguments have no such bound. */
  protocolMembers_count: 100,
  /** JSON-RPC ids are echoed and logged. */
  requestId_chars: 256,
  method_chars: 128,
  /** Tool, prompt or resource name as sent by a client. */
  name_chars: 4 * KiB,
  /** Ours seal the cursors of several upstreams. */
  cursor_chars: 16 * KiB,
  /** Messages in one body, which only 2025-03-26 has: each may be a call upstream. */
  batch_count: 20,
  /** Name and version of a client are cut to this in its session id, which is a header of every request. */
  clientInfo_chars: 128,
  /** Protocol versions are dates; what a client sends is echoed in the refusal. */
  protocolVersion_chars: 64,
  adminBody_bytes: 64 * KiB,
  /** A presented credential is hashed; longer ones are refused unread. */
  bearer_chars: 16 * KiB,

  // --- tenant configuration
  /** Older snapshots are checked against the Tenant object before use, so a revocation holds everywhere within this. */
  snapshotFresh_ms: 2 * second,
  /** A snapshot this old is checked behind the answer, so that a busy tenant never waits. */
  snapshotRefresh_ms: 1 * second,
  /** How long a request waits for that check, before it is refused. */
  snapshotCheck_ms: 500,
  /** The same for the first request of an isolate, which also loads the configuration from D1. */
  snapshotFirst_ms: 5 * second,
  /** A configuration write that crashed before it was announced is picked up after this. */
  snapshotLife_ms: 60 * second,
  snapshots_count: 100,
  /** Checks before their time that tokens under an unknown key cause in an isolate, for each tenant and `snapshotFresh_ms`. */
  renewals_count: 20,
  serversPerTenant_count: 200,
  clientsPerTenant_count: 5_000,
  tokensPerTenant_count: 20_000,
  tokensPerClient_count: 20,

  // --- tokens
  token_bytes: 32,
  tokenLife_ms: 90 * day,
  tokenLife_ms_max: 366 * day,
  /** The old token of a rotation works this long beside the new one. */
  tokenOverlap_ms: 1 * hour,
  tokenOverlap_ms_max: 7 * day,
  /** Revoked and expired tokens are listed this long, then their rows go. */
  tokenHistory_ms: 90 * day,

  ...peopleLimits,
  ...connectionLimits,

  // --- upstreams
  /** Workers allow six connections of one invocation to wait for response headers; one is left for the audit hand-over. */
  connectionsAtOnce_count: 5,
  /** The platform allows 16 KiB; no registered server comes near this. */
  upstreamUrl_chars: 2_048,
  upstreamResponse_bytes: 8 * MiB,
  /** A stream carries many events; its sum is bounded as well. */
  upstreamStream_bytes: 32 * MiB,
  sseEvent_bytes: 1 * MiB,
  /** Requests of a 2025 server in the middle of one call, pings among them. */
  upstreamRequests_count: 10,
  /** The same where they go on to a client of 2025: a tool may ask more than once, in a loop of sampling for instance. */
  upstreamAsks_count: 50,
  /** Messages of one JSON-RPC batch, which only 2025-03-26 has. */
  batchMessages_count: 100,
  /** Event and session ids are sent back in headers. */
  eventId_chars: 1_024,
  /** A stream that broke off is taken up again after this, unless the server says how long (SEP-1699), within these bounds. */
  streamRetry_ms: 1 * second,
  streamRetry_ms_min: 50,
  streamRetry_ms_max: 30 * second,
  /** Times that the stream of one answer is taken up again. Each costs a subrequest. */
  streamReconnects_count: 20,
  /** Subrequests that a server can cause in one stream of changes: reconnections, and answers to its requests. */
  watchSubrequests_count: 500,
  /** All pages of one list of one upstream together, in characters of JSON. */
  listAll_chars: 8 * MiB,
  /** What an upstream declares of itself is kept for each principal. */
  declaration_chars: 16 * KiB,
  /** Members of all objects in one request: more is work for parsers, not for tools. */
  requestMembers_count: 50_000,
  /** Silence from an upstream, before its first byte or between two. Each server may set its own. */
  upstreamIdle_ms: 60 * second,
  upstreamIdle_ms_max: 300 * second,
  /** A call from start to end, whatever it streams. */
  upstreamTotal_ms: 10 * minute,
  /** A list waits for each upstream this long: far under the 30 s after which clients give up. */
  listPerUpstream_ms: 5 * second,
  /** And all of them together this long, however many there are. */
  listTotal_ms: 15 * second,
  /** The aggregate promises freshness for no longer than this. */
  listTtl_ms_max: 5 * minute,
  /** A stored list is served this long without asking, even where its server promises less: many clients share it. */
  catalogFresh_ms: 60 * second,
  /** Up to this age it is served while it is asked for anew behind the answer. */
  catalogStale_ms: 10 * minute,
  /** Up to this age it stands in for a server that is slow. */
  catalogLife_ms: 24 * hour,
  /** How long a list waits for a server whose stored list is old, before that one is served. */
  listRefreshWait_ms: 1 * second,
  /** After a failed refresh the server is left in peace this long. */
  listRefreshPause_ms: 5 * second,
  catalogs_count: 2_000,
  /** Characters of all stored lists in one isolate, which has 128 MB: up to two bytes each, and twice that while one is built. */
  catalogs_chars: 16 * MiB,
  /**
   * Names of tools and prompts on the aggregate. Claude and Bedrock allow 64 characters and Claude Code puts `mcp__gatehouse__`
   * (16) before ours; Cursor's 60 with its own prefix leave more.
   */
  exposedName_chars: 48,
  /** One page of the aggregate: clients that ignore `nextCursor` lose nothing in practice. */
  listPage_items_count: 2_000,
  listPage_chars: 4 * MiB,
  listCursor_ms: 1 * hour,
  /** An item's own name or URI in a cursor is cut to this, so that the cursor stays under its own limit. */
  cursorKey_chars: 1 * KiB,
  /** The status of a server is written this often when nothing changed. */
  statusWrite_ms: 60 * second,
  /** KV takes one write of a key in a second; a change that comes sooner is written with the next question. */
  statusWrite_ms_min: 1 * second,
  statuses_count: 2_000,
  /** A flood of change notifications marks a session as diverged no more often than this. */
  divergedMark_ms: 1 * second,
  /** Instructions are text for a model: one server must not crowd the others out. */
  instructionsPerServer_chars: 2_000,
  instructions_chars: 16_000,
  listPages_count: 50,
  listItems_count: 5_000,
  tool_bytes: 128 * KiB,
  /** The era of an upstream is asked again after this: a stale verdict "legacy" would otherwise hold for ever. */
  eraVerdict_ms: 10 * minute,
  /** And of one that only showed its era by an error after this: until then it seems to offer nothing. */
  eraUndeclared_ms: 10 * second,
  eraProbe_ms: 5 * second,
  /** KV is only a cache: past this the server itself is asked. */
  cacheRead_ms: 500,
  eras_count: 2_000,
  /** Sessions with servers of 2025 of which an isolate remembers the log level that it set last. */
  legacySessions_count: 2_000,
  redirectHops_count: 3,

  // --- sealed handles that clients carry
  requestState_ms: 10 * minute,
  requestState_chars: 64 * KiB,
  /** An upstream's own state inside it. */
  upstreamState_chars: 32 * KiB,
  taskHandle_ms: 7 * day,
  /** Derived keys that one vault holds: a few for each tenant. */
  derivedKeys_count: 1_000,

  // --- sessions of the 2025 revisions
  /** Requests of servers that wait for one client on one stream. */
  pendingAsks_count: 50,
  /** Changed roots, and the same log level again, are told to the servers of a session at most once in this time. */
  sessionSetting_ms: 1 * second,
  /** Requests that one isolate knows to be running. */
  runningRequests_count: 10_000,
  /** A call that runs for longer may be cancelled by its client, so it listens for that; shorter ones are over by then. */
  lineDelay_ms: 1 * second,
  /**
   * How often events are stored that nobody reads, and how soon a client that came back for the rest of a stream is looked after
   * while the call still runs: each time after twice as long, since its object serves other sessions as well.
   */
  replayPoll_ms: 500,
  replayPoll_ms_max: 5 * second,
  /** At most so long it waits for a stream of which nothing is kept: the break may not have been noticed on this side. */
  replayWait_ms: 3 * second,

  /** A server that could not be listened to is tried again after this. */
  watchRetry_ms: 30 * second,

  // --- long-lived streams
  /** Changes of one list within this time after the first become one notification. */
  listChanged_ms: 1 * second,
  /** Messages for one client that wait to be read; past this the upstreams wait. */
  feed_count: 16,
  listen_ms: 30 * minute,
  listenKeepAlive_ms: 15 * second,
  /** How often an open stream asks whether its principal may still have it. */
  streamRecheck_ms: 600,
  /** How often it looks for the client, for its end and for the next sign of life. */
  listenTick_ms: 1 * second,
  /** On a snapshot of at most this age, so that both together stay under the two seconds of a revocation. */
  streamSnapshot_ms: 1 * second,
  listenSubscriptions_count: 200,

  // --- sessions of the 2025 revisions
  /** A sealed session id opens this long; no client is known to keep one for weeks. */
  session_ms: 30 * day,
  /** The id is a header of every request; servers commonly refuse 8 KiB of headers. */
  sessionId_chars: 4 * KiB,
  /** Opened ids that an isolate remembers, about 1 KiB each. */
  openSessionIds_count: 20_000,
  /** Session objects of a tenant, each for many owners: an idle object costs a start, and one takes a few hundred writes a second. */
  sessionShards_count: 16,
  /** Past this an object takes no owner that it does not know yet; about 200 bytes each. */
  ownersPerShard_count: 1_000_000,
  /** Upstream sessions of a principal are forgotten this long after the last change: servers drop idle ones far sooner. */
  principalFacts_ms: 24 * hour,
  subscriptionsPerOwner_count: 200,
  /** Tasks that `tasks/list` finds. */
  tasksPerOwner_count: 200,
  upstreamSessionsPerOwner_count: 200,
  /** One of them as JSON: twice what an upstream may declare of itself. */
  upstreamSession_chars: 32 * KiB,
  /** A check of a shard names at most this many owners that changed, else it says "all". */
  changedOwners_count: 500,
  /** What an isolate remembers of shards and owners: all shards of all its tenants, and a few MiB of facts. */
  factsShards_count: 1_600,
  facts_count: 20_000,
  facts_chars: 8 * MiB,
  /** Who opens an upstream session holds the others off this long; then the next one may try. */
  upstreamLease_ms: 10 * second,
  /** Those others give up after this: one holder that died, and the next one's handshake. */
  upstreamLeaseWait_ms: 20 * second,
  /** Calls of one session that wait for its client at once. */
  linesPerOwner_count: 200,
  lineOpen_ms: 5 * second,
  /** Pauses before each try to open a broken line again. */
  lineRetry_ms: [100, 500, 2 * second],
  /** Messages that wait for a reader in its own invocation. */
  lineMessages_count: 1_000,
  /** A broken line is remembered this long, so that answers to what it asked find their way. */
  lineRemembered_ms: 10 * minute,
  /** An open line is looked after again this often, in case its end was never reported. */
  lineCheck_ms: 1 * hour,
  /** What waits for a line to come back: seconds, unless nobody is there any more. */
  mailbox_ms: 60 * second,
  mailbox_count: 100,
  mailbox_bytes: 1 * MiB,
  /** Events for clients that lost a connection: they come back within seconds, or after a laptop woke up. */
  keptEvents_ms: 10 * minute,
  /**
   * What an open stream holds in memory for that case: what was sent and may still be on the way. An isolate has 128 MB, two bytes
   * a character and hundreds of streams, so it is less than what is stored.
   */
  heldEvents_chars: 256 * KiB,
  /** Of one stream. */
  keptEvents_count: 1_000,
  /** Of all streams of an owner. */
  keptEvents_bytes: 1 * MiB,
  keptStreams_count: 100,
  /** Expired rows wait this long for company, and so many go in one alarm. */
  sessionSweep_ms: 60 * second,
  sessionSweep_count: 1_000,

  // --- audit
  /** A Queue message may have 128,000 bytes with its overhead. */
  auditEvent_bytes: 96 * KiB,
  auditText_chars: 256,
  auditArguments_count: 50,
  /** Requests of a server to the client that an event names. */
  auditAsked_count: 50,
  outboxShards_count: 8,
  outboxRetry_ms: 5 * second,
  outboxRetry_ms_max: 5 * minute,
  outboxBatch_count: 100,
  /** A batch that a Queue takes may have 256,000 bytes with 100 of overhead for each message. */
  outboxBatch_bytes: 240_000,
  /** Batches in one alarm; the rest waits for the next one, so that an alarm stays far under its 15 minutes. */
  outboxAlarmBatches_count: 50,
  /** Readable dead letters are offered to the Ledger again this often. */
  deadLetterRetry_ms: 1 * hour,
  /** How long a hand-over waits for the Queue, and then for the Outbox, before it takes the next way. */
  auditHandOver_ms: 2 * second,
  /** Past this a shard refuses new events and calls are refused: bounded storage, fail closed. */
  outboxEvents_count: 1_000_000,
  /** A request event without an outcome gets `unknown` this long after its own deadline. */
  outcomeGrace_ms: 2 * minute,
  /** Overdue requests that one alarm of a Ledger gives an outcome. */
  outcomesPerAlarm_count: 500,
  /** Ledgers (months) that one page of events may ask, and how far back the log can be read. */
  ledgersPerPage_count: 3,
  ledgerMonths_count: 24,
  /** An outcome is stored in the month of its request; this much later than that month it may still arrive. */
  ledgerLate_ms: 8 * day,
  searchText_chars: 256,
  searchWords_count: 16,
  /** Failures of unknown callers are summed over this window and become one event. */
  unknownCallers_ms: 5 * second,
  unknownCallers_count: 200,
  eventsPage_count: 100,
  eventsPage_count_max: 500,

  // --- log
  /** The platform cuts the log of a request past 128 KiB; lines are cut here first, with a marker. */
  logLine_chars: 8 * KiB,
  logText_chars: 1 * KiB,
  /** Longer texts are cut before they are searched for secrets. */
  logTextScanned_chars: 64 * KiB,
  logDepth_levels: 5,
  logItems_count: 50,

  // --- admin API
  page_count: 50,
  page_count_max: 200,
  /** D1 binds at most 100 values of one statement; the tenant and a few more stand beside these. */
  boundIds_count: 90,
  /** RFC 5321 section 4.5.3.1.3. */
  email_chars: 254,
  idempotencyKey_chars: 128,
  idempotency_ms: 24 * hour,
  /** A first request that never finished (a crash) blocks its key this long: more than any admin request takes. */
  idempotencyLease_ms: 60 * second,
  /** Expired keys that one write clears away. */
  idempotencySweep_count: 100,
  /** Problems of one body that an answer lists. */
  fieldErrors_count: 20,
} as const;
