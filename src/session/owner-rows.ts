/**
 * The facts of the owners of one shard. Every change counts up the version of the shard, so that isolates can ask which of
 * the owners that they remember have changed.
 */
import { limits } from "../limits.ts";

export const ownerTables = `
  CREATE TABLE IF NOT EXISTS shard (
    only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL,
    floor INTEGER NOT NULL -- what changed up to here is not known any more, since rows are gone
  );
  INSERT OR IGNORE INTO shard VALUES (1, 0, 0);
  CREATE TABLE IF NOT EXISTS owners (
    owner TEXT PRIMARY KEY, ended INTEGER NOT NULL, version INTEGER NOT NULL, expires_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS owners_version ON owners (version);
  CREATE INDEX IF NOT EXISTS owners_expiry ON owners (expires_at);
  CREATE TABLE IF NOT EXISTS log_levels (owner TEXT PRIMARY KEY, level TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS subscriptions (
    owner TEXT NOT NULL, server_id TEXT NOT NULL, uri TEXT NOT NULL, PRIMARY KEY (owner, server_id, uri)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS upstream_sessions (
    owner TEXT NOT NULL, server_id TEXT NOT NULL, revision INTEGER NOT NULL, session_id TEXT, json TEXT NOT NULL,
    PRIMARY KEY (owner, server_id)
  ) WITHOUT ROWID;
`;

/** The facts of an owner as JSON, true at this version of the shard and later, unless a later change names the owner. */
export interface OwnerState {
  readonly version: number;
  readonly facts: string;
}

export type Refusal = "session_ended" | "too_many" | "lease_lost";

export type Written =
  | { readonly kind: "written"; readonly state: OwnerState; readonly changed: boolean }
  | { readonly kind: "refused"; readonly reason: Refusal };

export const refused = (reason: Refusal): Written => ({ kind: "refused", reason });

export interface Changes {
  readonly version: number;
  /** Owners with the version of their last change. */
  readonly owners: readonly { readonly owner: string; readonly version: number }[] | "all";
}

export interface StoredUpstream {
  readonly server_id: string;
  readonly revision: number;
  readonly session_id: string | null;
  /** See `encodeUpstream`. */
  readonly json: string;
}

type Effect = "changed" | "same" | "too_many";

/** A session's state outlives its id, which was made before the state was. */
const life_ms = (owner: string): number =>
  owner.startsWith("principal:") ? limits.principalFacts_ms : limits.session_ms;

export class OwnerRows {
  readonly #sql: SqlStorage;
  /** Those whose session is not over: whoever ends sessions must not take the room of the others with tombstones. */
  #living_count: number;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#living_count = this.#number("SELECT count(*) AS value FROM owners WHERE ended = 0");
  }

  state(owner: string): OwnerState {
    const level = this.#sql
      .exec<{ level: string }>("SELECT level FROM log_levels WHERE owner = ?", owner)
      .toArray()[0]?.level;
    const subscriptions = this.#sql
      .exec("SELECT server_id, uri FROM subscriptions WHERE owner = ? ORDER BY server_id, uri", owner)
      .toArray();
    const upstreams = this.#sql
      .exec<{ json: string }>("SELECT json FROM upstream_sessions WHERE owner = ? ORDER BY server_id", owner)
      .toArray();
    const own = JSON.stringify({ ended: this.ended(owner), log_level: level ?? null, subscriptions });
    const facts = `${own.slice(0, -1)},"upstreams":[${upstreams.map(({ json }) => json).join(",")}]}`;
    return { version: this.#version(), facts };
  }

  ended(owner: string): boolean {
    return this.#has("SELECT 1 FROM owners WHERE owner = ? AND ended = 1", owner);
  }

  changes(since: number): Changes {
    const version = this.#version();
    if (since < this.#number("SELECT floor AS value FROM shard")) return { version, owners: "all" };
    const owners = this.#sql
      .exec<{ owner: string; version: number }>(
        "SELECT owner, version FROM owners WHERE version > ? ORDER BY version LIMIT ?",
        since,
        limits.changedOwners_count + 1,
      )
      .toArray();
    return { version, owners: owners.length > limits.changedOwners_count ? "all" : owners };
  }

  setLogLevel(owner: string, log_level: string, now: number): Written {
    return this.#change(owner, now, () => {
      if (this.#has("SELECT 1 FROM log_levels WHERE owner = ? AND level = ?", owner, log_level)) return "same";
      this.#sql.exec("INSERT OR REPLACE INTO log_levels VALUES (?, ?)", owner, log_level);
      return "changed";
    });
  }

  addSubscription(owner: string, server_id: string, uri: string, now: number): Written {
    return this.#change(owner, now, () => {
      const same = "SELECT 1 FROM subscriptions WHERE owner = ? AND server_id = ? AND uri = ?";
      if (this.#has(same, owner, server_id, uri)) return "same";
      const held = this.#number("SELECT count(*) AS value FROM subscriptions WHERE owner = ?", owner);
      if (held >= limits.subscriptionsPerOwner_count) return "too_many";
      this.#sql.exec("INSERT INTO subscriptions VALUES (?, ?, ?)", owner, server_id, uri);
      return "changed";
    });
  }

  removeSubscription(owner: string, server_id: string, uri: string, now: number): Written {
    return this.#change(owner, now, () => {
      const remove = "DELETE FROM subscriptions WHERE owner = ? AND server_id = ? AND uri = ? RETURNING 1";
      return this.#has(remove, owner, server_id, uri) ? "changed" : "same";
    });
  }

  upstreamRevision(owner: string, server_id: string): number | undefined {
    const select = "SELECT revision FROM upstream_sessions WHERE owner = ? AND server_id = ?";
    return this.#sql.exec<{ revision: number }>(select, owner, server_id).toArray()[0]?.revision;
  }

  storeUpstream(owner: string, session: StoredUpstream, now: number): Written {
    const { server_id, revision, session_id, json } = session;
    return this.#change(owner, now, () => {
      const others = "SELECT count(*) AS value FROM upstream_sessions WHERE owner = ? AND server_id <> ?";
      const held = this.#number(others, owner, server_id);
      if (held >= limits.upstreamSessionsPerOwner_count || json.length > limits.upstreamSession_chars)
        return "too_many";
      const insert = "INSERT OR REPLACE INTO upstream_sessions VALUES (?, ?, ?, ?, ?)";
      this.#sql.exec(insert, owner, server_id, revision, session_id, json);
      return "changed";
    });
  }

  /** Only the session with this id: another one may have been stored since. */
  forgetUpstream(owner: string, server_id: string, session_id: string | null, now: number): Written {
    return this.#change(owner, now, () => {
      const remove = "DELETE FROM upstream_sessions WHERE owner = ? AND server_id = ? AND session_id IS ? RETURNING 1";
      return this.#has(remove, owner, server_id, session_id) ? "changed" : "same";
    });
  }

  markDiverged(owner: string, server_id: string, now: number): Written {
    return this.#change(owner, now, () => {
      const mark = `UPDATE upstream_sessions SET json = json_set(json, '$.diverged', json('true'))
        WHERE owner = ? AND server_id = ? AND json_extract(json, '$.diverged') = 0 RETURNING 1`;
      return this.#has(mark, owner, server_id) ? "changed" : "same";
    });
  }

  /**
   * Leaves a tombstone for as long as the id could open: by its own expiry, and for a whole session's life from now, since
   * the clock that set that expiry is another one. Never refused, also not by a full shard.
   */
  end(owner: string, expires_at: number, now: number): void {
    if (this.ended(owner)) return;
    this.#touch(owner, now);
    const until = Math.max(expires_at, now + limits.session_ms);
    this.#sql.exec("UPDATE owners SET ended = 1, expires_at = ? WHERE owner = ?", until, owner);
    this.#living_count -= 1;
    this.#clear(owner);
  }

  /** Forgets owners that are expired. @returns when the next one will be */
  sweep(now: number): number | undefined {
    const expired = this.#sql
      .exec<{ owner: string; ended: number }>(
        "SELECT owner, ended FROM owners WHERE expires_at <= ? ORDER BY expires_at LIMIT ?",
        now,
        limits.sessionSweep_count,
      )
      .toArray();
    for (const { owner } of expired) {
      this.#clear(owner);
      this.#sql.exec("DELETE FROM owners WHERE owner = ?", owner);
    }
    const living_count = expired.filter(({ ended }) => ended === 0).length;
    this.#living_count -= living_count;
    // Whoever remembers facts that are gone must learn of it, and there is no row left to tell.
    if (living_count > 0) this.#sql.exec("UPDATE shard SET version = version + 1, floor = version + 1");
    const next = this.#sql.exec<{ at: number | null }>("SELECT min(expires_at) AS at FROM owners").one();
    return next.at ?? undefined;
  }

  #change(owner: string, now: number, write: () => Effect): Written {
    if (this.ended(owner)) return refused("session_ended");
    const known = this.#has("SELECT 1 FROM owners WHERE owner = ?", owner);
    if (!known && this.#living_count >= limits.ownersPerShard_count) return refused("too_many");
    const effect = write();
    if (effect === "too_many") return refused("too_many");
    if (effect === "changed") this.#touch(owner, now);
    return { kind: "written", state: this.state(owner), changed: effect === "changed" };
  }

  #touch(owner: string, now: number): void {
    this.#sql.exec("UPDATE shard SET version = version + 1");
    const known = this.#has("SELECT 1 FROM owners WHERE owner = ?", owner);
    if (!known) this.#living_count += 1;
    this.#sql.exec(
      `INSERT INTO owners VALUES (?, 0, ?, ?)
       ON CONFLICT (owner) DO UPDATE SET version = excluded.version, expires_at = excluded.expires_at`,
      owner,
      this.#version(),
      now + life_ms(owner),
    );
  }

  #clear(owner: string): void {
    this.#sql.exec("DELETE FROM log_levels WHERE owner = ?", owner);
    this.#sql.exec("DELETE FROM subscriptions WHERE owner = ?", owner);
    this.#sql.exec("DELETE FROM upstream_sessions WHERE owner = ?", owner);
  }

  #version(): number {
    return this.#number("SELECT version AS value FROM shard");
  }

  #has(query: string, ...values: SqlStorageValue[]): boolean {
    return this.#sql.exec(query, ...values).toArray().length > 0;
  }

  #number(query: string, ...values: SqlStorageValue[]): number {
    return this.#sql.exec<{ value: number }>(query, ...values).one().value;
  }
}
