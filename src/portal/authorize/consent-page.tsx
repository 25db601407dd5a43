/** The question to the person: may this application use these servers for you? */
import type { Child } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import { formTokenField } from "../../login/index.ts";
import type { AuthorizationRequest, OAuthClient } from "../../oauth/index.ts";
import { Badge, Button, Card, Checkbox, CheckboxList, Facts, Form, Notice, PersonName } from "../design/index.ts";
import type { Choices } from "./choices.ts";
import { destinationOf, type Destination } from "./destination.ts";

/**
 * Whether the server can be used for this person as it is. `ready`: the organisation's credential, or none, needs nothing of them.
 * `path`: of the page where they connect, which leads back to this one. `what`: an account at a provider, or a key.
 */
export type ConnectionState =
  | { readonly state: "ready" }
  | { readonly state: "connected"; readonly what: "account" | "key" }
  | { readonly state: "connect" | "reconnect"; readonly what: "account" | "key"; readonly path: string };

export interface ConsentServer {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  /** Host of the server itself. */
  readonly host: string;
  readonly connection: ConnectionState;
}

export interface Question {
  readonly client: OAuthClient;
  readonly request: AuthorizationRequest;
  /** The sealed request, which is all that the form says about it. */
  readonly handle: string;
  readonly person: { readonly name: string; readonly email: string | null };
  readonly formToken: string;
  /** Back to this page after signing in as somebody else. */
  readonly returnHandle: string;
  readonly servers: readonly ConsentServer[];
  /** What is ticked. */
  readonly choices: Choices;
  readonly error?: string;
}

export function ConsentPage(question: Question): JSX.Element {
  const { client, request, servers } = question;
  const destination = destinationOf(request.redirect_uri);
  return (
    <Card>
      <h1>
        <bdi>{client.name}</bdi> wants to connect
      </h1>
      <p>
        If you allow it, this application can use the servers below through Gatehouse, as you and with your rights. You
        can change or end this under My access at any time.
      </p>
      <Facts
        rows={[
          ["Application", <ClientIdentity client={client} />],
          ["Answer goes to", <DestinationWords destination={destination} />],
          ["Signed in as", <Person question={question} />],
        ]}
      />
      {client.domain === undefined && client.kind !== "registered" ? <Unverified /> : null}
      <DestinationWarning destination={destination} />
      {servers.length === 0 ? <Nothing question={question} /> : <Decision question={question} />}
    </Card>
  );
}

function ClientIdentity({ client }: { readonly client: OAuthClient }): JSX.Element {
  if (client.kind === "registered") {
    return (
      <span class="row">
        <bdi>{client.name}</bdi> <Badge tone="good">Registered by your administrator</Badge>
      </span>
    );
  }
  if (client.domain === undefined) {
    return (
      <span class="row">
        <bdi>{client.name}</bdi> <Badge tone="warning">Unverified</Badge>
      </span>
    );
  }
  return (
    <span class="row">
      <strong>{client.domain}</strong> <Badge tone="good">Verified domain</Badge>
    </span>
  );
}

function Unverified(): JSX.Element {
  return (
    <Notice tone="warning" title="Nobody has verified this application">
      <p>It chose its name itself. Go on only if you have just started to connect it.</p>
    </Notice>
  );
}

function DestinationWords({ destination }: { readonly destination: Destination }): JSX.Element {
  switch (destination.kind) {
    case "site":
      return <strong>{destination.host}</strong>;
    case "loopback":
      return (
        <span>
          this computer <span class="muted">({destination.host})</span>
        </span>
      );
    case "app":
      return (
        <span>
          an app that opens <strong class="code">{destination.scheme}</strong> links{" "}
          <span class="muted code">({destination.uri})</span>
        </span>
      );
  }
}

function DestinationWarning({ destination }: { readonly destination: Destination }): Child {
  switch (destination.kind) {
    case "site":
      return null;
    case "loopback":
      return (
        <Notice tone="info">
          <p>
            The answer goes to a program on this computer, and any program on this computer could wait for it. Allow
            this only if you started to connect on this computer.
          </p>
        </Notice>
      );
    case "app":
      return (
        <Notice tone="info">
          <p>
            Your computer opens the app that has taken these links for itself. Allow this only if you know that app.
          </p>
        </Notice>
      );
  }
}

function Person({ question }: { readonly question: Question }): JSX.Element {
  return (
    <span class="stack stack-tight">
      <PersonName person={question.person} />
      <form method="post" action="/logout">
        <input type="hidden" name={formTokenField} value={question.formToken} />
        <input type="hidden" name="to" value={question.returnHandle} />
        <Button look="quiet">Not you? Sign out</Button>
      </form>
    </span>
  );
}

function Nothing({ question }: { readonly question: Question }): JSX.Element {
  return (
    <>
      <Notice tone="info" title="There is no server that you can use with this application">
        <p>
          Ask your administrator to give you, or one of your groups, access to a server. If this application is
          registered, its own list of servers counts as well.
        </p>
      </Notice>
      <DecisionForm question={question}>
        <div class="actions">
          <Button name="decision" value="deny">
            Deny
          </Button>
        </div>
      </DecisionForm>
    </>
  );
}

function Decision({ question }: { readonly question: Question }): JSX.Element {
  const choices = question.servers.map((server) => ({
    value: server.id,
    name: server.name,
    hint: server.host,
    checked: question.choices.chosen.has(server.id),
    end: <Connection connection={server.connection} />,
    below: <Connect server={server} />,
  }));
  return (
    <DecisionForm question={question}>
      <CheckboxList legend="Servers it may use" name="server" choices={choices} error={question.error} />
      {question.servers.some(({ connection }) => "path" in connection) ? (
        <p class="muted small">You can connect these now, or later when the application needs them.</p>
      ) : null}
      <Checkbox
        name="remember"
        label="Remember my answer"
        hint="The same request is then not asked again. Leave this off on a computer that you share."
        checked={question.choices.remember}
      />
      {/* The first button is the one that Enter presses, one that connects or this: a key that is pressed too early must not allow anything. */}
      <div class="actions actions-even">
        <Button name="decision" value="deny">
          Deny
        </Button>
        <Button look="primary" name="decision" value="allow">
          Allow
        </Button>
      </div>
    </DecisionForm>
  );
}

function Connection({ connection }: { readonly connection: ConnectionState }): JSX.Element {
  switch (connection.state) {
    case "ready":
      return <Badge tone="good">No account needed</Badge>;
    case "connected":
      return <Badge tone="good">{connection.what === "key" ? "Key connected" : "Account connected"}</Badge>;
    case "connect":
      return <Badge tone="warning">{connection.what === "key" ? "Key not connected" : "Account not connected"}</Badge>;
    case "reconnect":
      return <Badge tone="warning">Must be connected again</Badge>;
  }
}

/** Nobody must connect here: the application asks for it when it needs the account. A button of the form, so that no choice is lost. */
function Connect({ server }: { readonly server: ConsentServer }): Child {
  const { connection, name, slug } = server;
  if (!("path" in connection)) return null;
  return (
    <div class="choice-below row">
      <Button name="connect" value={slug}>
        {connection.state === "connect" ? `Connect your ${connection.what}` : "Connect again"}{" "}
        <span class="out">{`at ${name}`}</span>
      </Button>
    </div>
  );
}

function DecisionForm(props: { readonly question: Question; readonly children?: Child }): JSX.Element {
  return (
    <Form action="/oauth/consent" formToken={props.question.formToken} label="Your decision">
      <input type="hidden" name="request" value={props.question.handle} />
      {props.children}
    </Form>
  );
}
