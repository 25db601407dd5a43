/** After an account is connected: back to where the person came from, or the page that says what to do now. */
import type { Completed } from "../../connections/index.ts";
import type { WebSession } from "../../login/index.ts";
import type { PortalContext } from "../context.ts";
import { ButtonLink, Card, Notice } from "../design/index.ts";
import { seeOther, show } from "../show.tsx";
import { visitorOf } from "../visitor.ts";

export async function showConnected(
  c: PortalContext,
  session: WebSession,
  { target, account, agent, return_to }: Completed,
): Promise<Response> {
  if (return_to !== undefined) return seeOther(return_to);
  if (agent === undefined) return seeOther("/me/connections?done=connected");
  return show(
    c,
    { title: "Connected", kind: "forms", width: "narrow", visitor: await visitorOf(c.var.visit, session) },
    <Card>
      <h1>
        <bdi>{target.name}</bdi> is connected
      </h1>
      <Notice tone="good">
        <p>
          Go back to your application and let it try again. The application itself does not have to be connected again,
          and you can close this page.
        </p>
      </Notice>
      {account === "default" ? null : (
        <p>
          {target.kind === "oauth" ? "Account" : "Key"}: <bdi>{account}</bdi>
        </p>
      )}
      <p class="actions">
        <ButtonLink href="/me/connections">My connections</ButtonLink>
      </p>
    </Card>,
  );
}
