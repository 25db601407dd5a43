/** The audit event of an admin request. */
import type { AuditEvent } from "../audit/index.ts";
import { limits } from "../limits.ts";
import type { AdminDependencies } from "./dependencies.ts";

export interface Act {
  /** `{resource}.{verb}` */
  readonly action: string;
  readonly outcome: "ok" | "refused";
  readonly resourceId?: string | undefined;
  readonly fields?: readonly string[] | undefined;
  /** Stable; for refusals. */
  readonly reason?: string | undefined;
  /** For a request without a principal: set-up. */
  readonly agent?: string | undefined;
}

export function changeEvent(admin: AdminDependencies, now: number, act: Act): AuditEvent {
  const agent = act.agent ?? admin.principal?.agent;
  const [resource = act.action] = act.action.split(".");
  return {
    type: "admin.change",
    id: admin.ports.random.uuid(),
    tenant: admin.tenant,
    time: now,
    actor: agent === undefined ? {} : { agent: agent.slice(0, limits.auditText_chars) },
    action: act.action,
    resource,
    outcome: act.outcome,
    ...(act.resourceId === undefined ? {} : { resource_id: act.resourceId }),
    ...(act.fields === undefined ? {} : { fields: [...act.fields] }),
    ...(act.reason === undefined ? {} : { reason: act.reason.slice(0, limits.auditText_chars) }),
  };
}
