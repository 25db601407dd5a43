/** What becomes of connections by themselves, as events. What people and administrators do is recorded where they do it. */
import { authEvent } from "../login/index.ts";
import type { ConnectionKey } from "../vault/index.ts";
import type { Base } from "./types.ts";

type EventBase = Pick<Base, "platform" | "recorder"> & {
  readonly tenant: { readonly id: string };
  readonly source?: Base["source"];
};

export interface ConnectionAct {
  readonly action:
    /** The provider takes the refresh token no more: a person has to link again. */
    | "connection.dead"
    /** The row is not what was stored: moved, edited, or one of old times. */
    | "vault.tamper"
    | "connection.revoke"
    /** The credential is gone here; whether it lives on at its provider nobody knows. */
    | "connection.revoke_failed";
  readonly outcome: "ok" | "refused";
  /** Stable. */
  readonly reason?: string;
}

/** What could not be recorded is logged by the recorder; the connection is what it is, either way. */
export async function recordConnection(base: EventBase, key: ConnectionKey, act: ConnectionAct): Promise<void> {
  const user = key.user_id === "" ? undefined : { id: key.user_id, email: null };
  const actor = { platform: base.platform, tenant: base.tenant, source: base.source ?? {} };
  await base.recorder.record(authEvent(actor, { ...act, user, resource: key.target }));
}
