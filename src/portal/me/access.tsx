/** `/me`: what this person allowed AI applications to do, and the end of it. */
import type { JSX } from "hono/jsx/jsx-runtime";
import { openDatabase } from "../../db/index.ts";
import { grantsRepository, revokeGrants, type StoredGrant } from "../../oauth/index.ts";
import { destinationOf } from "../authorize/destination.ts";
import type { PortalContext } from "../context.ts";
import { Button, ButtonLink, Card, EmptyState, Facts, Form, Moment, Notice } from "../design/index.ts";
import { showNotFound } from "../errors/refusals.ts";
import { readSubmission } from "../form.ts";
import { signedIn } from "../guard.ts";
import { seeOther, show } from "../show.tsx";
import { visitorOf } from "../visitor.ts";
import { placeName } from "./place.ts";
import { serverNames } from "./server-names.ts";

/** Words for what was just done; the page takes nothing else from its address. */
const done: Readonly<Record<string, string>> = {
  revoked: "The application has no access any more. This holds everywhere within two seconds.",
  changed: "The servers of the application were changed.",
};

export async function showAccess(c: PortalContext): Promise<Response> {
  const session = await signedIn(c);
  if (!session.ok) return session.error;
  const { visit } = c.var;
  const { user } = session.value;
  const now = visit.platform.ports.clock.now();
  const grants = await grantsRepository(openDatabase(visit.platform.bindings.DB), visit.tenant.id).ofUser(user.id, now);
  // One whose code was never redeemed gives nobody anything.
  const living = grants.filter(
    ({ redeemed_at, revoked_at, expires_at }) => redeemed_at !== null && revoked_at === null && expires_at > now,
  );
  const visitor = await visitorOf(visit, session.value);
  const said = done[c.req.query("done") ?? ""];
  return show(
    c,
    { title: "My access", kind: "forms", visitor, path: "/me" },
    <div class="stack stack-wide">
      <div class="stack stack-tight">
        <h1>My access</h1>
        <p class="muted">AI applications that can use servers for you.</p>
      </div>
      {said === undefined ? null : (
        <Notice tone="good">
          <p>{said}</p>
        </Notice>
      )}
      {living.length === 0 ? (
        <EmptyState title="No application has access">
          <p>Give this address to an AI application to connect it:</p>
          <p class="url">{`${visit.tenant.origin}/mcp`}</p>
        </EmptyState>
      ) : (
        living.map((grant) => (
          <GrantCard
            grant={grant}
            servers={serverNames(visit.snapshot, grant.servers)}
            now={now}
            formToken={visitor.formToken}
          />
        ))
      )}
    </div>,
  );
}

function GrantCard(props: {
  readonly grant: StoredGrant;
  readonly servers: readonly string[];
  readonly now: number;
  readonly formToken: string;
}): JSX.Element {
  const { grant, servers, now, formToken } = props;
  return (
    <Card>
      <h2>
        <bdi>{grant.client_name}</bdi>
      </h2>
      <Facts
        rows={[
          ["Servers", servers.length === 0 ? "none" : servers.join(", ")],
          ["Last used", <Moment at={grant.last_used_at} now={now} />],
          ["Since", <Moment at={grant.created_at} now={now} />],
          ["Ends, unless used", <Moment at={grant.expires_at} now={now} />],
          ["Answers go to", destinationText(grant.redirect_uri)],
          ["Allowed from", placeName(grant.source)],
          ["Address", <span class="code">{grant.resource}</span>],
        ]}
      />
      <div class="actions">
        <ButtonLink href={`/me/grants/${grant.id}/servers`}>Change servers</ButtonLink>
        <Form action={`/me/grants/${grant.id}/revoke`} formToken={formToken}>
          <Button look="danger" label={`Remove access of ${grant.client_name}`}>
            Remove access
          </Button>
        </Form>
      </div>
    </Card>
  );
}

function destinationText(redirect_uri: string): string {
  const destination = destinationOf(redirect_uri);
  switch (destination.kind) {
    case "site":
      return destination.host;
    case "loopback":
      return "a program on your computer";
    case "app":
      return `an app that opens ${destination.scheme} links`;
  }
}

export async function revokeOwn(c: PortalContext): Promise<Response> {
  const submitted = await readSubmission(c);
  if (!submitted.ok) return submitted.error;
  const { visit } = c.var;
  const id = c.req.param("id") ?? "";
  const grant = await grantsRepository(openDatabase(visit.platform.bindings.DB), visit.tenant.id).get(id);
  if (grant?.user_id !== submitted.value.session.user.id) return showNotFound(c);
  await revokeGrants(visit, { id }, "user");
  return seeOther("/me?done=revoked");
}
