/** `/`: who am I, and where can I go. */
import { currentSession, displayName } from "../../login/index.ts";
import type { PortalContext } from "../context.ts";
import { ButtonLink, Card, Facts, Moment, Notice } from "../design/index.ts";
import { show } from "../show.tsx";
import { visitorOf } from "../visitor.ts";

export async function home(c: PortalContext): Promise<Response> {
  const { visit } = c.var;
  const session = await currentSession(visit, c.req.raw.headers);
  if (session === undefined) {
    return show(
      c,
      { title: "Welcome", kind: "plain", width: "narrow" },
      <Card>
        <h1>You are not signed in</h1>
        <p>Gatehouse connects AI applications to the servers of your organisation. Sign in to see what you allowed.</p>
        {visit.snapshot.initialised ? null : (
          <Notice tone="warning" title="Not set up yet">
            <p>An administrator must initialise this Gatehouse before anybody can sign in.</p>
          </Notice>
        )}
        <p class="actions">
          <ButtonLink look="primary" href="/login">
            Sign in
          </ButtonLink>
        </p>
      </Card>,
    );
  }
  const { user, created_at } = session;
  const now = visit.platform.ports.clock.now();
  return show(
    c,
    { title: "Home", kind: "forms", visitor: await visitorOf(visit, session), path: "/" },
    <div class="stack stack-wide">
      <h1>
        Hello, <bdi>{displayName(user)}</bdi>
      </h1>
      <Card label="Your account">
        <h2>Your account</h2>
        <Facts
          rows={[
            ["E-mail", user.email === null ? "not known" : <bdi>{user.email}</bdi>],
            ["Role", user.role],
            ["Signed in", <Moment at={created_at} now={now} />],
          ]}
        />
      </Card>
      <Card label="Connect an application">
        <h2>Connect an application</h2>
        <p>Give this address to your AI application. It will send you here to sign in and to choose servers.</p>
        <p class="url">{`${visit.tenant.origin}/mcp`}</p>
        <p class="actions">
          <ButtonLink href="/me">See what you allowed</ButtonLink>
          <ButtonLink href="/me/connections">See your connections</ButtonLink>
          {user.role === "member" ? null : <ButtonLink href="/admin/agents">See all agents</ButtonLink>}
        </p>
      </Card>
    </div>,
  );
}
