/** The event of what people and clients do to get and to lose access. */
import { boundedText, type AuthEvent } from "../audit/index.ts";
import type { Visit } from "./visit.ts";

export interface AuthAct {
  /** `{thing}.{verb}`; the list is in docs/security-model.md. */
  readonly action: string;
  readonly outcome: "ok" | "refused";
  /** Stable; for refusals and revocations. */
  readonly reason?: string | undefined;
  readonly user?: { readonly id: string; readonly email: string | null } | undefined;
  /** Client id. */
  readonly agent?: string | undefined;
  readonly client_name?: string | undefined;
  readonly grant?: string | undefined;
  readonly redirect_uri?: string | undefined;
  readonly resource?: string | undefined;
  readonly provider?: string | undefined;
}

/** Who does it: the timer comes from nowhere. */
export interface AuthActor {
  readonly platform: Visit["platform"];
  readonly tenant: { readonly id: string };
  readonly source: Partial<Visit["source"]>;
}

export function authEvent({ platform, tenant, source }: AuthActor, act: AuthAct): AuthEvent {
  const { clock, random } = platform.ports;
  const text = (name: string, value: string | null | undefined): Record<string, string> => {
    const bounded = value === null ? undefined : boundedText(value);
    return bounded === undefined ? {} : { [name]: bounded };
  };
  return {
    type: "auth.activity",
    id: random.uuid(),
    tenant: tenant.id,
    time: clock.now(),
    actor: {
      ...text("user", act.user?.id),
      ...text("user_email", act.user?.email),
      ...text("agent", act.agent),
      ...text("client_name", act.client_name),
      ...text("grant", act.grant),
    },
    action: act.action,
    outcome: act.outcome,
    ...text("reason", act.reason),
    ...text("redirect_uri", act.redirect_uri),
    ...text("resource", act.resource),
    ...text("provider", act.provider),
    source,
  };
}
