/** What a page that ends a way tells: what happened, and what whoever reads it can do. Never what exists, never a secret. */
import type { Child } from "hono/jsx";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { PortalContext } from "../context.ts";
import { ButtonLink, Card } from "../design/index.ts";
import { show } from "../show.tsx";

export interface ErrorText {
  readonly title: string;
  readonly what: string;
  /** What the person can do. */
  readonly you: string;
  /** What an administrator must add or change. */
  readonly administrator?: string;
}

export interface ErrorAction {
  readonly href: string;
  readonly label: string;
}

export interface ErrorDetails extends ErrorText {
  readonly status: ContentfulStatusCode;
  /** Stable; for the log, which the reference leads to. */
  readonly reason: string;
  /** The precise one behind it, and the slug of the server that it is about; for the log only. */
  readonly because?: string | undefined;
  readonly server?: string | undefined;
  /** Between what happened and what to do. */
  readonly details?: Child;
  readonly action?: ErrorAction | undefined;
  /** Another way on, or back. */
  readonly otherwise?: ErrorAction | undefined;
}

export async function showError(c: PortalContext, error: ErrorDetails): Promise<Response> {
  const { platform, tenant } = c.var.visit;
  const reference = platform.ports.random.uuid();
  const { reason, because, server } = error;
  platform.log("info", "A page told of a failure", {
    ...{ reference, reason, tenant: tenant.id },
    ...(because === undefined ? {} : { because }),
    ...(server === undefined ? {} : { server }),
  });
  return show(
    c,
    { title: error.title, kind: "plain", status: error.status, width: "narrow" },
    <Card>
      <h1>{error.title}</h1>
      <p class="lead">{error.what}</p>
      {error.details ?? null}
      <h2>What you can do</h2>
      <p>{error.you}</p>
      {error.administrator === undefined ? null : (
        <>
          <h2>What an administrator can do</h2>
          <p>{error.administrator}</p>
        </>
      )}
      {error.action === undefined ? null : (
        <p class="actions">
          <ButtonLink look="primary" href={error.action.href}>
            {error.action.label}
          </ButtonLink>
          {error.otherwise === undefined ? null : (
            <ButtonLink href={error.otherwise.href}>{error.otherwise.label}</ButtonLink>
          )}
        </p>
      )}
      <p class="muted small">
        Reference for your administrator: <span class="code">{reference}</span>
      </p>
    </Card>,
  );
}
