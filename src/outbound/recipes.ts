/** Additional headers: where each gets its value (U7). */
import { idpToken } from "../connections/index.ts";
import type { Failure } from "../errors.ts";
import { signCallerAssertion } from "../oauth/index.ts";
import { err, ok, type Result } from "../ports.ts";
import {
  canonicalHeader,
  fillTemplate,
  placeholdersOf,
  type OutboundHeader,
  type Placeholder,
} from "../registry/index.ts";
import { embeddedValue, identityValue } from "./identity.ts";
import { fitOfHeader, headerProof, type Work } from "./live.ts";
import {
  header,
  noPerson,
  nothing,
  organisationNotAllowed,
  refusal,
  type Authentication,
  type Proof,
  type Value,
} from "./part.ts";
import { byExchange, byServiceToken, noSubject, type Exchanged, type ServiceToken } from "./renewals.ts";
import { openHeaderSecret } from "./secrets.ts";
import { storedCredential } from "./stored.ts";

type Recipe<S extends OutboundHeader["source"]> = Extract<OutboundHeader, { source: S }>;

/**
 * Where the server takes callers whom Gatehouse does not know, and needs no credential by itself, nothing is added for them: the
 * caller's own headers of these names are dropped all the same, so none can be faked.
 */
export async function additionalHeader(work: Work, recipe: OutboundHeader): Promise<Result<Authentication, Failure>> {
  if (!work.context.caller.mayUseOrganisation) {
    const { type } = work.server.authentication;
    if (type === "none" || type === "passthrough") return ok(nothing);
    if (isOrganisations(recipe)) return err(organisationNotAllowed(work.server));
  }
  const value = await valueOf(work, recipe);
  if (!value.ok) return value;
  const { text, proofs = [] } = value.value;
  const prefix = "prefix" in recipe ? recipe.prefix : undefined;
  return header(work.server, recipe.name, prefix === undefined ? text : `${prefix} ${text}`, proofs);
}

const isOrganisations = ({ source }: OutboundHeader): boolean =>
  source === "service_token" || source === "custom" || source === "caller_assertion";

function valueOf(work: Work, recipe: OutboundHeader): Promise<Result<Value, Failure>> {
  switch (recipe.source) {
    case "service_token":
      return serviceToken(work, recipe);
    case "caller_token":
      return callerToken(work, recipe);
    case "on_behalf_of":
      return onBehalfOf(work, recipe);
    case "stored_credential":
      return storedCredential(work, recipe);
    case "caller_identity":
      return Promise.resolve(callerIdentity(work, recipe));
    case "caller_assertion":
      return callerAssertion(work, recipe);
    case "custom":
      return custom(work, recipe);
  }
}

const accountOfHeader = (name: string): string => `header:${canonicalHeader(name)}`;

function fromProof(work: Work, proof: Result<Proof, Failure>): Result<Value, Failure> {
  if (!proof.ok) return proof;
  const { credential } = proof.value.live;
  if (credential.kind === "tokens") return ok({ text: credential.access_token, proofs: [proof.value] });
  return err(refusal(work.server, "credential_mismatch", "is no token"));
}

async function serviceToken(work: Work, recipe: ServiceToken): Promise<Result<Value, Failure>> {
  const { context, server } = work;
  const secret = await openHeaderSecret(context, server, recipe);
  if (!secret.ok) return secret;
  const key = { user_id: "", target: server.id, account: accountOfHeader(recipe.name) };
  const how = { renew: byServiceToken(context, recipe, secret.value), fit: fitOfHeader(server, recipe) };
  return fromProof(work, await headerProof(work, key, how));
}

/** A person who signs in anew has one: connecting an account would not help. */
const signInAgain = (work: Work, reason: string | undefined): Failure =>
  refusal(
    work.server,
    reason ?? "sign_in_token",
    "is the token of your sign-in, which has ended or was never given: sign in to Gatehouse again",
  );

async function callerToken(work: Work, { token }: Recipe<"caller_token">): Promise<Result<Value, Failure>> {
  const { context, server } = work;
  const { user } = context.caller;
  if (user === undefined) return err(noPerson(server));
  const found = await idpToken(context, user.id, token);
  if (found.ok) return ok({ text: found.value });
  return err(found.error.code === "link_needed" ? signInAgain(work, found.error.reason) : found.error);
}

async function onBehalfOf(work: Work, recipe: Exchanged): Promise<Result<Value, Failure>> {
  const { context, server } = work;
  const { user } = context.caller;
  if (user === undefined) return err(noPerson(server));
  const secret = await openHeaderSecret(context, server, recipe);
  if (!secret.ok) return secret;
  const blocks: Failure[] = [];
  const renew = byExchange(context, recipe, secret.value, user.id, (failed) => void blocks.push(failed));
  const key = { user_id: user.id, target: server.id, account: accountOfHeader(recipe.name) };
  const proof = await headerProof(work, key, { renew, fit: fitOfHeader(server, recipe) });
  const [blocked] = blocks;
  if (proof.ok) return fromProof(work, proof);
  // For a moment after it the provider is not asked again, and only the reason remains.
  if (blocked?.code === "link_needed" || proof.error.reason === noSubject)
    return err(signInAgain(work, blocked?.reason));
  return blocked === undefined ? proof : err(blocked);
}

/**
 * Without a person, or without a verified address, the call is refused: a server that reads this header could take its absence for a call of
 * Gatehouse's own.
 */
function callerIdentity({ context, server }: Work, { value }: Recipe<"caller_identity">): Result<Value, Failure> {
  const { user } = context.caller;
  if (user === undefined) return err(noPerson(server));
  const known = value === "id" ? user.id : user.email;
  if (known === undefined) return err(noEmail({ context, server }));
  const text = identityValue(known);
  return text === undefined ? err(unfit({ context, server })) : ok({ text });
}

type Place = Pick<Work, "context" | "server">;

const noEmail = ({ server }: Place): Failure =>
  refusal(
    server,
    "no_email",
    "needs the caller's e-mail address, and the identity provider gave none that is verified",
  );

const unfit = ({ server }: Place): Failure =>
  refusal(server, "identity_unfit", "needs a fact about the caller that no header may hold");

async function callerAssertion(work: Work, recipe: Recipe<"caller_assertion">): Promise<Result<Value, Failure>> {
  const { context, server } = work;
  const { agent, user } = context.caller;
  const { origin, pathname } = new URL(server.url);
  const audience = recipe.audience ?? origin + pathname;
  return ok({ text: await signCallerAssertion(context, { audience, client_id: agent, user }) });
}

async function custom(work: Work, recipe: Recipe<"custom">): Promise<Result<Value, Failure>> {
  const { context, server } = work;
  const secret = await openHeaderSecret(context, server, recipe);
  if (!secret.ok) return secret;
  const { value: template } = secret.value;
  if (template === undefined)
    return err(refusal(server, "header_secret_missing", "has no value: an administrator must set it"));
  const { agent, user } = context.caller;
  const facts = { "user.id": user?.id, "user.email": user?.email, "client.id": agent, "server.slug": server.slug };
  const values: Partial<Record<Placeholder, string>> = {};
  for (const name of placeholdersOf(template)) {
    if (name.startsWith("user.") && user === undefined) return err(noPerson(server));
    const fact = facts[name];
    if (fact === undefined) return err(noEmail(work));
    const value = embeddedValue(fact);
    if (value === undefined) return err(unfit(work));
    values[name] = value;
  }
  return ok({ text: fillTemplate(template, values) });
}
