/**
 * What may hand out more than an administrator had in mind takes two requests: the answer to the first says what it means, and holds
 * what makes the second one do it. That is lending the organisation's credential to callers whom nobody knows (requirement A6), and
 * sending the tokens of people's sign-ins, or what they are exchanged for, to an address (security case PL-16).
 */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { addressOf, isPersonal, type StoredServer } from "../registry/index.ts";
import { sha256 } from "../sha256.ts";
import type { AdminDependencies } from "./dependencies.ts";
import type { ServerSettings, ServerWish } from "./server-wish.ts";

const purpose = "server-confirmation";

/** Everything that decides who gets what: one confirmation is for all of it, as it stands in the request. */
const confirmable = ({ url, authentication, outbound_headers, agent_authentication }: ServerSettings): string =>
  JSON.stringify([url, authentication, outbound_headers, agent_authentication]);

/** To the anonymous because it says so, and to whoever has a token of somebody else's issuer. */
function isLending({ agent_authentication, authentication, outbound_headers }: ServerSettings): boolean {
  if (agent_authentication.type !== "passthrough") return false;
  if (agent_authentication.anonymous === "allow_with_credential") return true;
  if (agent_authentication.jwt === undefined) return false;
  const isOwn = !["none", "passthrough", "oauth"].includes(authentication.type) && !isPersonal(authentication);
  return isOwn || outbound_headers.some(({ source }) => ofOrganisation.has(source));
}

const ofOrganisation: ReadonlySet<string> = new Set(["service_token", "stored_credential", "custom"]);

interface Place {
  /** What must be as it was confirmed. By origin and path: the query of an address is no other place. */
  readonly key: string;
  /** What goes there, in a sentence. */
  readonly meaning: string;
}

/** Where the token of the person's sign-in goes, and where what it is exchanged for goes. */
function tokenPlaces({ url, outbound_headers }: ServerSettings): readonly Place[] {
  return outbound_headers.flatMap((recipe) => {
    if (recipe.source === "caller_token") return [placeOf(recipe.token, url)];
    if (recipe.source !== "on_behalf_of") return [];
    return [placeOf(recipe.subject_token, recipe.token_endpoint), placeOfExchanged(recipe, url)];
  });
}

function placeOf(token: "access_token" | "id_token", url: string): Place {
  const address = addressOf(url);
  const name = token === "id_token" ? "ID token" : "access token";
  return {
    key: JSON.stringify([token, address]),
    meaning: `Gatehouse will send the ${name} of each caller's sign-in to ${address}. Whoever runs that can use it wherever your identity provider's tokens are taken, as that person.`,
  };
}

type Exchange = Extract<ServerSettings["outbound_headers"][number], { source: "on_behalf_of" }>;

function placeOfExchanged({ token_endpoint, audience, resource, scopes }: Exchange, url: string): Place {
  const [from, address] = [addressOf(token_endpoint), addressOf(url)];
  const good = [
    ...(audience === undefined ? [] : [`for audience ${JSON.stringify(audience)}`]),
    ...(resource === undefined ? [] : [`for resource ${JSON.stringify(resource)}`]),
    ...(scopes === undefined ? [] : [`with scopes ${JSON.stringify(scopes.join(" "))}`]),
  ];
  return {
    key: JSON.stringify(["exchanged", from, address, audience, resource, scopes]),
    meaning: `Gatehouse will send ${["what the token endpoint", from, "gives for it", ...good].join(" ")} to ${address}. Whoever runs that can use it wherever such a token is taken, as that person.`,
  };
}

/**
 * @param before the server as it is; undefined when it is made now
 * @param confirmation of the request
 * @returns `confirmation_needed` with a new confirmation, unless the request has one for this very change of the server as it
 *   is, by the same administrator
 */
export async function checkConfirmed(
  admin: AdminDependencies,
  wish: ServerWish,
  before: StoredServer | undefined,
  confirmation: string | undefined,
): Promise<Failure | undefined> {
  const meanings = [...lendingNow(admin, wish, before), ...tokensNow(wish, before)];
  if (meanings.length === 0) return undefined;
  const bound = {
    server: before === undefined ? `slug:${wish.slug}` : `id:${before.id}`,
    // Every change of a server gives it another: what was confirmed and taken back is asked anew.
    updated_at: before?.updated_at ?? null,
    wanted: await sha256(confirmable(wish)),
    by: admin.principal?.id ?? "",
  };
  const { vault, platform } = admin.visit;
  if (confirmation !== undefined) {
    const opened = await vault.openHandle(purpose, admin.tenant, confirmation);
    if (opened.ok && JSON.stringify(opened.value) === JSON.stringify(bound)) return undefined;
  }
  const until = platform.ports.clock.now() + limits.confirmation_ms;
  const how = 'To do it all the same, send the same request again with this "confirmation" within ten minutes.';
  const text = [...meanings, how].join(" ");
  return failure("confirmation_needed", text, {
    reason: "confirmation_needed",
    data: { confirmation: await vault.sealHandle(purpose, admin.tenant, bound, until), text },
  });
}

/** @returns a sentence where the organisation's credential is lent otherwise than before */
function lendingNow(
  { origin }: AdminDependencies,
  wish: ServerWish,
  before: StoredServer | undefined,
): readonly string[] {
  if (!isLending(wish) || (before !== undefined && confirmable(before) === confirmable(wish))) return [];
  const { slug, agent_authentication } = wish;
  const checked = agent_authentication.type === "passthrough" && agent_authentication.jwt !== undefined;
  const who = checked ? "Whoever has a token of the configured issuer" : "Whoever can reach this address";
  return [
    `${who} will call ${origin}/mcp/${slug} with the organisation's credential, without being known to Gatehouse.`,
  ];
}

/** @returns a sentence for each place that gets a token of people, and did not get it before */
function tokensNow(wish: ServerWish, before: StoredServer | undefined): readonly string[] {
  const known = new Set(before === undefined ? [] : tokenPlaces(before).map(({ key }) => key));
  const places = tokenPlaces(wish).filter(({ key }) => !known.has(key));
  return [...new Map(places.map(({ key, meaning }) => [key, meaning])).values()];
}
