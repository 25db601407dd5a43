/** The question before an account is connected: with what, for whom, as whom, and where the way leads. */
import type { Child } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import type { LinkKind, Provider } from "../../connections/index.ts";
import { limits } from "../../limits.ts";
import { Button, ButtonLink, Card, Facts, Field, Form, Notice, PersonName } from "../design/index.ts";
import { accountName, permissionWords, thingOf } from "../me/account-words.ts";
import type { Asked } from "./asked.ts";

interface Props {
  readonly asked: Asked;
  /** For accounts that are connected at a provider. */
  readonly provider: Provider | undefined;
  readonly application: string | undefined;
  readonly formToken: string;
  /** Path of ours. */
  readonly cancel: string;
  readonly notice: string | undefined;
  readonly keyError: string | undefined;
}

export function ConnectPage(props: Props): JSX.Element {
  const { asked, provider, application, notice } = props;
  const { target } = asked;
  const what = thingOf(target.kind);
  return (
    <Card>
      <h1>
        Connect <bdi>{target.name}</bdi>
      </h1>
      {notice === undefined ? null : (
        <Notice tone="danger">
          <p>{notice}</p>
        </Notice>
      )}
      <p class="lead">
        {application === undefined
          ? `Applications that you allow to use it then work with your own ${what} there.`
          : `An application wants to use it for you, and needs your own ${what} there.`}{" "}
        No application ever sees it: Gatehouse keeps it sealed and adds it to your calls.
      </p>
      <Facts rows={factsOf(props)} />
      {target.hint === undefined || target.hint === "" ? null : (
        <Notice tone="info" title="From your administrator">
          <p>{target.hint}</p>
        </Notice>
      )}
      <Replaces asked={asked} />
      {provider === undefined ? <PasteForm {...props} /> : <ProviderForm {...props} provider={provider} />}
    </Card>
  );
}

function factsOf({ asked, provider, application }: Props): (readonly [string, Child])[] {
  const { target, person, link, isAnother } = asked;
  const rows: (readonly [string, Child])[] = [];
  if (application !== undefined) rows.push(["Asked for by", <bdi>{application}</bdi>]);
  rows.push(["You are", <PersonName person={person} />]);
  if (target.host !== undefined) rows.push(["Server", <span class="code">{target.host}</span>]);
  if (target.usedBy.length > 0) rows.push(["Used by", <bdi>{target.usedBy.join(", ")}</bdi>]);
  if (provider !== undefined) rows.push(["You sign in at", <strong>{provider.host}</strong>]);
  if (provider !== undefined && provider.scopes.length > 0) {
    rows.push(["Permissions", <bdi class="code">{permissionWords(provider.scopes)}</bdi>]);
  }
  const isNamed = !isAnother && (asked.accounts.length > 1 || link.account !== "default");
  const thing = thingOf(target.kind);
  if (isNamed) rows.push([thing === "key" ? "Key" : "Account", <bdi>{accountName(link.account, thing)}</bdi>]);
  if (person.email === null && target.host === undefined && rows.length === 0) return [];
  return rows;
}

function Replaces({ asked }: { readonly asked: Asked }): Child {
  const isKnown = asked.accounts.some(({ facts }) => facts.account === asked.link.account);
  if (!isKnown || asked.isAnother) return null;
  return (
    <Notice tone="info">
      <p>You have connected this before. What you connect now takes its place.</p>
    </Notice>
  );
}

function Hidden({ asked }: { readonly asked: Asked }): JSX.Element {
  return (
    <>
      {Object.entries(asked.carried).map(([name, value]) => (
        <input type="hidden" name={name} value={value} />
      ))}
      <input type="hidden" name="shown" value={asked.shown} />
    </>
  );
}

function AccountField({ asked }: { readonly asked: Asked }): Child {
  if (!asked.isAnother) return null;
  return (
    <Field
      name="account"
      label={`Name of this ${thingOf(asked.target.kind)}`}
      hint="How you tell it from your others, for instance work."
      value={asked.typed}
      error={asked.accountError}
      chars_max={limits.accountName_chars}
      required
    />
  );
}

function ProviderForm({ asked, formToken, cancel, provider }: Props & { readonly provider: Provider }): JSX.Element {
  return (
    <Form action={asked.path} formToken={formToken} label="Go to the provider">
      <Hidden asked={asked} />
      <input type="hidden" name="provider" value={provider.shown} />
      <AccountField asked={asked} />
      <p class="muted">
        You leave Gatehouse for the address above and come back afterwards. Go on only if that is where you sign in for
        this server.
      </p>
      <div class="actions actions-even">
        <ButtonLink href={cancel}>Cancel</ButtonLink>
        <Button look="primary">{`Continue to ${provider.host}`}</Button>
      </div>
    </Form>
  );
}

const keyLabels: Readonly<Record<LinkKind, string>> = {
  oauth: "",
  bearer: "Token",
  basic: "Password",
  api_key: "API key",
  credential: "Value",
};

function PasteForm({ asked, formToken, cancel, keyError }: Props): JSX.Element {
  const { kind, server } = asked.target;
  return (
    <Form action={asked.path} formToken={formToken} label="Your key">
      <Hidden asked={asked} />
      <AccountField asked={asked} />
      {kind === "basic" ? <Field name="username" label="User name" chars_max={256} required /> : null}
      <Field
        name="key"
        label={keyLabels[kind]}
        hint={
          server === undefined
            ? "It is stored sealed and never shown again."
            : "It is tried at the server at once, then stored sealed and never shown again."
        }
        error={keyError}
        chars_max={8192}
        required
        secret
      />
      <div class="actions actions-even">
        <ButtonLink href={cancel}>Cancel</ButtonLink>
        <Button look="primary">{server === undefined ? "Save" : "Try it and save"}</Button>
      </div>
    </Form>
  );
}
