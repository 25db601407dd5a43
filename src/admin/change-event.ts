/** The audit event of an admin request. */
import { boundedText, type AuditEvent } from "../audit/index.ts";
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
  const { principal } = admin;
  const [resource = act.action] = act.action.split(".");
  return {
    type: "admin.change",
    id: admin.ports.random.uuid(),
    tenant: admin.tenant,
    time: now,
    actor: {
      ...bounded("user", principal?.user?.id),
      ...bounded("user_email", principal?.user?.email),
      ...bounded("agent", act.agent ?? principal?.agent),
    },
    action: act.action,
    resource,
    outcome: act.outcome,
    ...bounded("resource_id", act.resourceId),
    ...(act.fields === undefined ? {} : { fields: [...act.fields] }),
    ...bounded("reason", act.reason),
  };
}

function bounded(name: string, value: string | undefined): Record<string, string> {
  const text = boundedText(value);
  return text === undefined ? {} : { [name]: text };
}
