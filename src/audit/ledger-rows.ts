/** How an event stands in a Ledger: columns to filter by, a text to search in, and the event itself as JSON. */
import { v5 as uuidOf } from "uuid";
import { auditEvent, type AuditEvent, type RequestEvent, type ResponseEvent } from "./event.ts";

/**
 * `seq` is counted by the object and not by AUTOINCREMENT, which leaves gaps where a repeated id is ignored. Nothing is
 * ever deleted, so a gap means that a row was.
 */
export const ledgerTables = `
  CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, type TEXT NOT NULL,
    user TEXT, agent TEXT, server TEXT, name TEXT, method TEXT, decision TEXT, outcome TEXT,
    request_id TEXT, deadline INTEGER, json TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS events_request ON events (request_id) WHERE request_id IS NOT NULL;
  CREATE INDEX IF NOT EXISTS events_user ON events (user, seq) WHERE user IS NOT NULL;
  CREATE INDEX IF NOT EXISTS events_agent ON events (agent, seq) WHERE agent IS NOT NULL;
  CREATE INDEX IF NOT EXISTS events_server ON events (server, name, seq) WHERE server IS NOT NULL;
  CREATE VIRTUAL TABLE IF NOT EXISTS events_text USING fts5 (text, content = '');
  CREATE TABLE IF NOT EXISTS open_requests (
    request_id TEXT PRIMARY KEY, deadline INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS open_requests_deadline ON open_requests (deadline);
`;

export const insertEvent = `
  INSERT INTO events
    (seq, id, time, type, user, agent, server, name, method, decision, outcome, request_id, deadline, json)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
`;

/** The columns of `insertEvent` after `seq`, in its order. */
export function columnsOf(event: AuditEvent): SqlStorageValue[] {
  const target = "target" in event ? event.target : undefined;
  return [
    event.id,
    event.time,
    event.type,
    event.actor.user ?? null,
    event.actor.agent ?? null,
    target?.server ?? null,
    target?.name ?? null,
    target?.method ?? null,
    event.type === "mcp.request" ? event.decision.effect : null,
    outcomeOf(event),
    event.type === "mcp.response" ? event.request_id : null,
    event.type === "mcp.request" ? event.deadline : null,
    JSON.stringify(event),
  ];
}

function outcomeOf(event: AuditEvent): string | null {
  if (event.type === "mcp.response") return event.outcome.status;
  return event.type === "admin.change" || event.type === "auth.activity" ? event.outcome : null;
}

/** What free text finds: every text of the event that a person would look for. Digests and sizes are no such text. */
export function searchTextOf(event: AuditEvent): string {
  return [event.id, event.type, ...Object.values(event.actor), ...detailsOf(event)]
    .filter((part) => part !== undefined)
    .join(" ");
}

function detailsOf(event: AuditEvent): (string | undefined)[] {
  switch (event.type) {
    case "mcp.request": {
      const { target, decision, request, source } = event;
      const names = Object.keys(request.arguments ?? {});
      return [...Object.values(target), ...Object.values(decision), ...names, ...Object.values(source)];
    }
    case "mcp.response": {
      const { target, outcome, upstreams } = event;
      return [
        event.request_id,
        ...Object.values(target),
        outcome.status,
        outcome.reason,
        ...Object.keys(upstreams ?? {}),
      ];
    }
    case "admin.change":
      return [event.action, event.resource, event.resource_id, event.outcome, event.reason, ...(event.fields ?? [])];
    case "auth.activity": {
      const { action, outcome, reason, redirect_uri, resource, provider, source } = event;
      return [action, outcome, reason, redirect_uri, resource, provider, ...Object.values(source)];
    }
    case "auth.failed":
      return [event.reason, event.network];
  }
}

/** Stored events are parsed like any other input. A row that is no event is damage, and no page may hide it. */
export const readEvent = (json: string): AuditEvent => auditEvent.parse(JSON.parse(json));

/**
 * The outcome of a request that never got one. Its id follows from the request's, so a repeated sweep makes the same event.
 * @param now milliseconds since the Unix epoch
 */
export function unknownOutcome(request: RequestEvent, now: number): ResponseEvent {
  return {
    type: "mcp.response",
    id: uuidOf("mcp.response unknown", request.id),
    tenant: request.tenant,
    time: now,
    actor: request.actor,
    request_id: request.id,
    target: request.target,
    outcome: { status: "unknown", reason: "outcome_overdue" },
    duration_ms: Math.max(0, now - request.time),
    response: { size_bytes: 0, token_weight: 0 },
  };
}
