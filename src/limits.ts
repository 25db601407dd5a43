/** Every bound of the program with its unit and its reason. A list, cache, body, wait or retry without a line here is a defect. */

const KiB = 1024;
const MiB = 1024 * KiB;
const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

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
  /** Protocol versions are dates; what a client sends is echoed in the refusal. */
  protocolVersion_chars: 64,
  adminBody_bytes: 64 * KiB,
  /** A presented credential is hashed; longer ones are refused unread. */
  bearer_chars: 4 * KiB,

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

  // --- upstreams
  /** Workers allow six connections at once in one invocation; one is left for the audit hand-over. */
  connectionsAtOnce_count: 5,
  /** The platform allows 16 KiB; no registered server comes near this. */
  upstreamUrl_chars: 2_048,
  upstreamResponse_bytes: 8 * MiB,
  /** A stream carries many events; its sum is bounded as well. */
  upstreamStream_bytes: 32 * MiB,
  sseEvent_bytes: 1 * MiB,
  /** Requests of a 2025 server in the middle of one call, pings among them. */
  upstreamRequests_count: 10,
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
  listPages_count: 50,
  listItems_count: 5_000,
  tool_bytes: 128 * KiB,
  /** The era of an upstream is asked again after this: a stale verdict "legacy" would otherwise hold for ever. */
  eraVerdict_ms: 10 * minute,
  eraProbe_ms: 5 * second,
  /** KV is only a cache: past this the server itself is asked. */
  cacheRead_ms: 500,
  eras_count: 2_000,
  legacySessions_count: 2_000,
  legacySession_ms: 10 * minute,
  toolIndex_ms: 5 * minute,
  toolIndexes_count: 500,
  credentialCache_ms: 60 * second,
  credentialCache_count: 1_000,
  redirectHops_count: 3,

  // --- sealed handles that clients carry
  requestState_ms: 10 * minute,
  requestState_chars: 64 * KiB,
  /** An upstream's own state inside it. */
  upstreamState_chars: 32 * KiB,
  taskHandle_ms: 7 * day,
  /** Derived keys that one vault holds: a few for each tenant. */
  derivedKeys_count: 1_000,

  // --- long-lived streams
  listen_ms: 30 * minute,
  listenKeepAlive_ms: 15 * second,
  /** How often an open stream asks whether its principal may still have it. */
  streamRecheck_ms: 600,
  /** How often it looks for the client, for its end and for the next sign of life. */
  listenTick_ms: 1 * second,
  /** On a snapshot of at most this age, so that both together stay under the two seconds of a revocation. */
  streamSnapshot_ms: 1 * second,
  listenSubscriptions_count: 200,

  // --- audit
  /** A Queue message may have 128,000 bytes with its overhead. */
  auditEvent_bytes: 96 * KiB,
  auditText_chars: 256,
  auditArguments_count: 50,
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
  idempotencyKey_chars: 128,
  idempotency_ms: 24 * hour,
  /** A first request that never finished (a crash) blocks its key this long: more than any admin request takes. */
  idempotencyLease_ms: 60 * second,
  /** Expired keys that one write clears away. */
  idempotencySweep_count: 100,
  /** Problems of one body that an answer lists. */
  fieldErrors_count: 20,
} as const;
