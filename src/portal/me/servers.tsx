/** `/me/grants/{id}/servers`: which servers an application may use for this person. */
import { openDatabase } from "../../db/index.ts";
import type { WebSession } from "../../login/index.ts";
import { findClient, grantsRepository, offeredServers, setGrantServers, type StoredGrant } from "../../oauth/index.ts";
import type { Server } from "../../registry/index.ts";
import type { PortalContext } from "../context.ts";
import { Button, ButtonLink, Card, CheckboxList, Form, Notice, type Choice } from "../design/index.ts";
import { showNotFound } from "../errors/refusals.ts";
import { readSubmission } from "../form.ts";
import { signedIn } from "../guard.ts";
import { seeOther, show } from "../show.tsx";
import { visitorOf } from "../visitor.ts";

export async function showServers(c: PortalContext): Promise<Response> {
  const session = await signedIn(c);
  if (!session.ok) return session.error;
  const found = await findGrant(c, session.value);
  return found === undefined ? showNotFound(c) : showChoice(c, session.value, found);
}

interface Found {
  readonly grant: StoredGrant;
  readonly offered: readonly Server[];
}

/** @returns a living grant of this person, with what may be chosen for it; nothing where its client is not to be found any more */
async function findGrant(c: PortalContext, { user }: WebSession): Promise<Found | undefined> {
  const { visit } = c.var;
  const repository = grantsRepository(openDatabase(visit.platform.bindings.DB), visit.tenant.id);
  const grant = await repository.get(c.req.param("id") ?? "");
  if (grant === undefined || grant.user_id !== user.id || grant.revoked_at !== null) return undefined;
  const client = await findClient(visit, grant.client_id);
  const offered = client.ok ? offeredServers(visit, { client: client.value, user, resource: grant.resource }) : [];
  return { grant, offered };
}

async function showChoice(
  c: PortalContext,
  session: WebSession,
  { grant, offered }: Found,
  error?: string,
): Promise<Response> {
  const visitor = await visitorOf(c.var.visit, session);
  const chosen = new Set(grant.servers);
  const choices = offered.map(({ id, name, slug, url }): Choice => ({
    value: id,
    name: name === "" ? slug : name,
    hint: URL.parse(url)?.host ?? slug,
    checked: chosen.has(id),
  }));
  return show(
    c,
    {
      title: `Servers of ${grant.client_name}`,
      kind: "forms",
      width: "narrow",
      visitor,
      path: "/me",
      ...(error === undefined ? {} : { status: 422 as const }),
    },
    <Card>
      <h1>
        Servers of <bdi>{grant.client_name}</bdi>
      </h1>
      {choices.length === 0 ? (
        <>
          <Notice tone="info">
            <p>
              There is no server to choose from. The application is not available now, or you have lost access to its
              servers.
            </p>
          </Notice>
          <p class="actions">
            <ButtonLink href="/me">Back to My access</ButtonLink>
          </p>
        </>
      ) : (
        <Form action={`/me/grants/${grant.id}/servers`} formToken={visitor.formToken}>
          <CheckboxList legend="Servers it may use" name="server" choices={choices} error={error} />
          <div class="actions actions-even">
            <ButtonLink href="/me">Cancel</ButtonLink>
            <Button look="primary">Save</Button>
          </div>
        </Form>
      )}
    </Card>,
  );
}

/** Nothing of the form is believed but which of the offered servers are chosen. */
export async function changeServers(c: PortalContext): Promise<Response> {
  const submitted = await readSubmission(c);
  if (!submitted.ok) return submitted.error;
  const { session, fields } = submitted.value;
  const found = await findGrant(c, session);
  if (found === undefined) return showNotFound(c);
  const asked = new Set(fields.getAll("server"));
  const chosen = found.offered.map(({ id }) => id).filter((id) => asked.has(id));
  if (chosen.length === 0) {
    return showChoice(c, session, found, "Choose at least one server, or remove the application’s access.");
  }
  const changed = await setGrantServers(c.var.visit, found.grant.id, session.user.id, chosen);
  return changed ? seeOther("/me?done=changed") : showNotFound(c);
}
