/** The way to a provider. */
import { checkUrl } from "../../egress/index.ts";
import type { Visit } from "../../login/index.ts";
import { limits } from "../../limits.ts";
import { err, ok, type Result } from "../../ports.ts";
import type { Server } from "../../registry/index.ts";
import { sha256 } from "../../sha256.ts";
import { connectionStore, type ConnectionFacts } from "../../vault/index.ts";
import { authorizationUrl, isAboutServer, mixedUpWith, resolveParty, scopesFor } from "../oauth/index.ts";
import type { Party, TokenFailure } from "../types.ts";
import type { Link } from "./link.ts";
import { keepPending, secretOf } from "./pending.ts";
import { refusal, type LinkRefusal, type LinkRefusalReason } from "./refusals.ts";
import type { Person } from "./reachable.ts";
import { recordRefusal } from "./link-event.ts";
import { findTarget, type LinkTarget } from "./targets.ts";

/** Who would be asked, for the page that asks first (UP-02). */
export interface Provider {
  readonly party: Party;
  readonly authorization_endpoint: URL;
  /** As the browser compares it. */
  readonly host: string;
  readonly scopes: readonly string[];
  /** Digest of who would be asked for what, so that the person agrees to this and to nothing else. */
  readonly shown: string;
}

/** @returns the target of a link; refusal `vault_sealed`, `server_gone` or `nothing_to_connect` */
export async function linkedTarget(
  visit: Visit,
  person: Person,
  { target }: Pick<Link, "target">,
): Promise<Result<LinkTarget, LinkRefusal>> {
  if (visit.snapshot.settings.vault_sealed) return err(refusal("vault_sealed"));
  const found = await findTarget(visit, person, target);
  return found === undefined ? err(refusal("server_gone")) : ok(found);
}

/**
 * Finds the provider of a server. What is in the way is recorded each time, also where the person only looks: there is no button on the
 * page that tells of it, so nobody would ever act, and an administrator would look for the reason in vain.
 * Nobody is ever sent to an address that our own rules would refuse: a URL of a foreign document that
 * is no plain https URL may be a command to the machine that opens it.
 * @see security case UP-11
 */
export async function providerOf(
  visit: Visit,
  person: Person,
  link: Link,
  target: LinkTarget,
): Promise<Result<Provider, LinkRefusal>> {
  const failed = async (failure: TokenFailure): Promise<Result<never, LinkRefusal>> =>
    err(await refuse(visit, person, { link, target }, failure));
  const { server } = target;
  if (server === undefined || target.kind !== "oauth") return err(refusal("nothing_to_connect"));
  const party = await resolveParty(visit, server);
  if (!party.ok) return failed(party.error);
  if (mixedUpWith(visit.snapshot.servers.values(), server).length > 0) {
    return failed({ kind: "wrong", reason: "shared_callback_taken" });
  }
  const endpoint = checkUrl(party.value.authorization_endpoint ?? "", {
    mode: visit.platform.configuration.mode,
    origins: visit.platform.configuration.egressOrigins,
  });
  if (!endpoint.ok) return failed({ kind: "wrong", reason: "authorization_endpoint_not_allowed" });
  const scopes = scopesOf(server, party.value, link);
  return ok({
    party: party.value,
    authorization_endpoint: endpoint.value,
    host: endpoint.value.host,
    scopes,
    shown: await digestOf(party.value, endpoint.value, scopes),
  });
}

const digestOf = ({ issuer, token_endpoint }: Party, { href }: URL, scopes: readonly string[]): Promise<string> =>
  sha256(JSON.stringify([issuer, href, token_endpoint, scopes.toSorted()]));

const scopesOf = (server: Server, party: Party, { scope }: Link): readonly string[] =>
  scopesFor(server, party, undefined, scope);

const words = { dead: "provider_refused", passing: "provider_unreachable", wrong: "provider_misconfigured" } as const;

/** Records why, in the words of whoever found out, and says it in ours. */
export async function refuse(
  visit: Visit,
  person: Person,
  about: { readonly link?: Link; readonly target: LinkTarget },
  failure: TokenFailure,
): Promise<LinkRefusal> {
  await recordRefusal(visit, person, about, failure.reason);
  return refusalOf(about.target, failure);
}

const refusalOf = ({ path, server }: LinkTarget, failure: TokenFailure): LinkRefusal => ({
  ...refusal(wordOf(failure), path),
  because: failure.reason,
  ...(server === undefined ? {} : { server: server.slug }),
});

function wordOf({ kind, reason }: TokenFailure): LinkRefusalReason {
  if (reason === "access_denied") return "access_denied";
  return kind === "passing" && isAboutServer(reason) ? "server_unreachable" : words[kind];
}

export interface Begun {
  /** At the provider. */
  readonly location: string;
}

/**
 * Begins. What the answer needs to be recognised is kept sealed; nothing of it is in the URL but `state` and the challenge.
 * @param return_to a path of ours, from a sealed handle
 * @see RFC 6749 section 4.1.1, RFC 7636, RFC 8707
 */
export async function beginLink(
  visit: Visit,
  person: Person,
  link: Link,
  provider: Provider,
  return_to?: string,
): Promise<Result<Begun, LinkRefusal>> {
  const target = await linkedTarget(visit, person, link);
  if (!target.ok) return target;
  const { server, fit, path } = target.value;
  if (server?.authentication.type !== "oauth") return err(refusal("nothing_to_connect"));
  const held = await connectionStore(visit).facts(person.id);
  if (isFull(held, link)) return err(refusal("too_many_accounts", path));
  const { party, scopes } = provider;
  const { random } = visit.platform.ports;
  const [state, verifier] = [secretOf(random), secretOf(random)];
  const { issuer, token_endpoint, client_id, names_issuer, resource } = party;
  const kept = await keepPending(visit, link, state, {
    ...{ issuer, token_endpoint, client_id, names_issuer, resource, verifier, fit, account: link.account },
    redirect_uri: party.redirect_uri ?? "",
    authorization_endpoint: party.authorization_endpoint ?? "",
    revocation_endpoint: party.revocation_endpoint ?? null,
    asked_scope: scopes.length === 0 ? null : scopes.join(" "),
    step_ups: link.step_ups,
    agent: link.agent ?? null,
    return_to: return_to ?? null,
  });
  if (!kept.ok) return kept;
  const { parameters } = server.authentication;
  const location = await authorizationUrl(party, {
    ...{ state, verifier, scopes, choosesAccount: othersThere(held, link).length > 0 },
    ...(parameters === undefined ? {} : { parameters }),
  });
  return ok({ location: location.href });
}

/** Told before the way to the provider, so that no account is connected there for nothing. */
function isFull(all: readonly ConnectionFacts[], link: Link): boolean {
  const { target, account } = link;
  const others = othersThere(all, link);
  const isNew = !all.some((facts) => facts.target === target && facts.account === account);
  return isNew && (others.length >= limits.accountsPerTarget_count || all.length >= limits.connectionsPerUser_count);
}

/** Accounts of the person at the same target, under other names. */
const othersThere = (all: readonly ConnectionFacts[], { target, account }: Link): readonly ConnectionFacts[] =>
  all.filter((facts) => facts.target === target && facts.account !== account);
