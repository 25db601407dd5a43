/** The way back from a provider: from the answer in the browser to a connection. */
import { openDatabase } from "../../db/index.ts";
import type { Visit } from "../../login/index.ts";
import { err, ok, type Result } from "../../ports.ts";
import { sha256 } from "../../sha256.ts";
import { knownParty, mixedUpWith, redeem, revoke } from "../oauth/index.ts";
import type { Party, TokenSet } from "../types.ts";
import { linkAttempts, type Attempt } from "./attempts.ts";
import { linkedTarget, refuse } from "./begin.ts";
import type { Link } from "./link.ts";
import { openPending, type Pending } from "./pending.ts";
import { refusal, type LinkRefusal } from "./refusals.ts";
import type { Person } from "./reachable.ts";
import { recordRefusal } from "./link-event.ts";
import { storeLink } from "./store-link.ts";
import type { LinkTarget } from "./targets.ts";

export interface Completed {
  readonly target: LinkTarget;
  readonly account: string;
  /** Whether an application waits for it. */
  readonly agent: string | undefined;
  /** A path of ours. */
  readonly return_to: string | undefined;
}

interface Resumed {
  readonly attempt: Attempt;
  /** Undefined where it does not open. */
  readonly pending: Pending | undefined;
  readonly state: string;
  /** Where the answer came to. */
  readonly callback: string;
  readonly parameters: URLSearchParams;
}

const stateForm = /^[A-Za-z0-9_-]{43}$/;

/**
 * Completes a link. In this order: the answer belongs to an attempt of this person, which nobody used; it came to the address of the
 * provider that was asked, and is of it (RFC 9700 section 4.4, RFC 9207); only then the code is redeemed. Of an attempt that fails
 * nothing stays, so that its link can be followed again.
 * @param url of the request
 * @see RFC 6749 section 4.1.2, RFC 9207 section 2.4; security cases UP-10, UP-13, UP-14
 */
export async function completeLink(visit: Visit, person: Person, url: URL): Promise<Result<Completed, LinkRefusal>> {
  const found = await findAttempt(visit, person, url);
  if (!found.ok) return found;
  const completed = await complete(visit, person, found.value);
  const return_to = found.value.pending?.return_to ?? undefined;
  return completed.ok || return_to === undefined ? completed : err({ ...completed.error, return_to });
}

async function complete(visit: Visit, person: Person, resumed: Resumed): Promise<Result<Completed, LinkRefusal>> {
  const { attempt } = resumed;
  if (attempt.used_at !== null) return err(refusal("state_used"));
  if (attempt.expires_at <= visit.platform.ports.clock.now()) return err(refusal("state_expired"));
  const attempts = linkAttempts(openDatabase(visit.platform.bindings.DB), visit.tenant.id);
  const target = await linkedTarget(visit, person, { target: attempt.server_id });
  // A sealed vault takes nothing: the attempt is left as it is.
  if (!target.ok && target.error.reason === "vault_sealed") return target;
  const { clock } = visit.platform.ports;
  if (!(await attempts.use(attempt.state_hash, person.id, clock.now()))) return err(refusal("state_used"));
  const finished = target.ok ? await finish(visit, person, resumed, target.value) : target;
  if (!finished.ok) await attempts.forget(attempt.state_hash);
  return finished;
}

/** Finds the attempt that the answer belongs to. Whoever did not begin it leaves it as it is. */
async function findAttempt(visit: Visit, person: Person, url: URL): Promise<Result<Resumed, LinkRefusal>> {
  const parameters = url.searchParams;
  const [state, ...others] = parameters.getAll("state");
  if (state === undefined || others.length > 0) return err(refusal("response_invalid"));
  if (!stateForm.test(state)) return err(refusal("state_unknown"));
  const { platform, tenant } = visit;
  const attempt = await linkAttempts(openDatabase(platform.bindings.DB), tenant.id).find(await sha256(state));
  if (attempt === undefined) return err(refusal("state_unknown"));
  if (attempt.user_id !== person.id) {
    await recordRefusal(visit, person, {}, "other_person");
    return err(refusal("other_person"));
  }
  return ok({
    attempt,
    pending: await openPending(visit, attempt),
    state,
    callback: tenant.origin + url.pathname,
    parameters,
  });
}

async function finish(
  visit: Visit,
  person: Person,
  { attempt, pending, state, callback, parameters }: Resumed,
  target: LinkTarget,
): Promise<Result<Completed, LinkRefusal>> {
  if (pending === undefined) return err(refusal("unavailable", target.path));
  const { server } = target;
  const link = linkOf(attempt, pending);
  const failed = async (reason: "server_changed" | "other_callback"): Promise<Result<never, LinkRefusal>> => {
    await recordRefusal(visit, person, { link, target }, reason);
    return err({
      ...refusal(reason, target.path),
      because: reason,
      ...(server === undefined ? {} : { server: server.slug }),
    });
  };
  if (server === undefined || target.fit !== pending.fit) return failed("server_changed");
  if (callback !== pending.redirect_uri) return failed("other_callback");
  const known = await knownParty(visit, server, pending);
  if (!known.ok) return err(await refuse(visit, person, { link, target }, known.error));
  // What was said of callbacks when it began must hold still.
  const others = mixedUpWith(visit.snapshot.servers.values(), server);
  if (known.value.redirect_uri !== pending.redirect_uri || others.length > 0) return failed("server_changed");
  const party: Party = { ...known.value, authorization_endpoint: pending.authorization_endpoint };
  const { verifier, redirect_uri } = pending;
  const answer = { parameters, state, verifier, redirect_uri };
  const redeemed = await redeem(visit, party, answer);
  if (!redeemed.ok) return err(await refuse(visit, person, { link, target }, redeemed.error));
  const stored = await store(visit, person, { link, target, pending, party, redeemed: redeemed.value });
  if (!stored.ok) return stored;
  const { account, agent, return_to } = pending;
  return ok({ target, account, agent: agent ?? undefined, return_to: return_to ?? undefined });
}

/** As it was when it began: nothing of it comes from the answer. */
function linkOf({ link_id, user_id, server_id, expires_at }: Attempt, pending: Pending): Link {
  const { account, step_ups, agent } = pending;
  return {
    ...{ id: link_id, user_id, target: server_id, account, step_ups, expires_at },
    ...(agent === null ? {} : { agent }),
  };
}

async function store(
  visit: Visit,
  person: Person,
  {
    link,
    target,
    pending,
    party,
    redeemed,
  }: {
    readonly link: Link;
    readonly target: LinkTarget;
    readonly pending: Pending;
    readonly party: Party;
    readonly redeemed: TokenSet;
  },
): Promise<Result<void, LinkRefusal>> {
  const { tokens, scope } = redeemed;
  const stored = await storeLink(visit, person, link, target, {
    ...{ credential: tokens, issuer: party.issuer, token_endpoint: party.token_endpoint, client_id: party.client_id },
    ...{ scope, asked_scope: pending.asked_scope, fit: pending.fit, step_ups: pending.step_ups },
    revocation_endpoint: party.revocation_endpoint ?? null,
  });
  if (!stored.ok) visit.platform.waitUntil(giveBack(visit, party, redeemed));
  return stored;
}

/** What is not kept is good for nobody: the provider is told, if it can be. */
async function giveBack(visit: Visit, party: Party, { tokens }: TokenSet): Promise<void> {
  if (tokens.refresh_token !== undefined) await revoke(visit, party, tokens.refresh_token, "refresh_token");
  await revoke(visit, party, tokens.access_token, "access_token");
}
