/** What a person connected and nothing uses any more: what is true of each, and its end. */
import type { JSX } from "hono/jsx/jsx-runtime";
import type { Orphan } from "../../connections/index.ts";
import { ButtonLink, Card, Facts, Moment } from "../design/index.ts";
import { accountName } from "./account-words.ts";
import { stateBadge } from "./connection-state.tsx";

const reasons: Readonly<Record<Orphan["kind"], Readonly<Record<Orphan["why"], string>>>> = {
  server: {
    gone: "The server was removed.",
    closed: "The server is switched off, or not open to you any more.",
    not_asked: "The server does not ask for an account or key of yours any more.",
  },
  credential: {
    gone: "What it was for was removed.",
    closed: "No server that you may use asks for it any more.",
    not_asked: "No server that you may use asks for it any more.",
  },
};

const removed = { server: "A server that was removed", credential: "A stored credential that was removed" } as const;

export function Orphans({ orphans, now }: { readonly orphans: readonly Orphan[]; readonly now: number }): JSX.Element {
  return (
    <Card label="Not used any more">
      <h2>Not used any more</h2>
      <p class="muted">Nothing uses these. You can disconnect them.</p>
      {orphans.map((orphan) => (
        <OrphanPart orphan={orphan} now={now} />
      ))}
    </Card>
  );
}

function OrphanPart({ orphan, now }: { readonly orphan: Orphan; readonly now: number }): JSX.Element {
  const { facts, kind, why } = orphan;
  const name = orphan.name ?? removed[kind];
  // What has no issuer was pasted.
  const thing = facts.issuer === "" ? "key" : "account";
  const account = accountName(facts.account, thing);
  return (
    <div class="account stack">
      <div class="row">
        <h3>
          <bdi>{name}</bdi>
        </h3>
        {stateBadge("orphaned")}
      </div>
      <p>{reasons[kind][why]}</p>
      <Facts
        rows={[
          [thing === "key" ? "Key" : "Account", <bdi>{account}</bdi>],
          ["Since", <Moment at={facts.created_at} now={now} />],
        ]}
      />
      <div class="actions">
        <DisconnectLink id={facts.id} what={`${account} at ${name}`} />
      </div>
    </div>
  );
}

/** @param what for those who do not see where it stands */
export function DisconnectLink({ id, what }: { readonly id: string; readonly what: string }): JSX.Element {
  return (
    <ButtonLink look="danger" href={`/me/connections/${id}/disconnect`}>
      Disconnect <span class="out">{what}</span>
    </ButtonLink>
  );
}
