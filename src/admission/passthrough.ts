/**
 * Who calls a passthrough server. `Authorization` is the caller's own there: it goes to that server and nowhere else, and nothing of
 * ours is looked for in it, but that it is not one of our tokens. Who wants to be known sends such a one in `X-Gatehouse-Token`.
 */
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import { goingOn, type AgentAuthentication, type Server } from "../registry/index.ts";
import type { Snapshot } from "../tenant/index.ts";
import type { Inquirer } from "../trust/index.ts";
import type { Door } from "./access-token.ts";
import { readAuthorization } from "./authorization.ts";
import { gatewayTokenHeader } from "./bearer.ts";
import { foreignChallenge } from "./challenge.ts";
import { admitForeignCaller, type ForeignCaller } from "./foreign-caller.ts";
import { holderOf } from "./holder.ts";
import { admitKnown } from "./known.ts";
import { holdsOwnToken, ownIssuers } from "./own-token.ts";
import type { Passthrough, Principal } from "./principal.ts";

export type PassthroughRule = Extract<AgentAuthentication, { type: "passthrough" }>;

/** What a door to a passthrough server has besides. */
export interface PassthroughDoor {
  readonly server: Server;
  readonly inquirer: Inquirer;
  /** Keyed, of the tenant. */
  digest(value: string): Promise<string>;
  /** Whether the server exists for a principal who is known. */
  reaches(principal: Principal): boolean;
}

export const ruleOf = ({ agent_authentication }: Pick<Server, "agent_authentication">): PassthroughRule | undefined =>
  agent_authentication.type === "passthrough" ? agent_authentication : undefined;

/** It says what to do, so it is told only where the caller may know that the server is one of this kind. */
const misplaced = failure(
  "invalid_token",
  "A token of Gatehouse goes to no other server: send it in X-Gatehouse-Token, and in other headers only what is for this server",
  { reason: "token_misplaced", headers: foreignChallenge("invalid_token") },
);

export async function admitAtPassthrough(
  snapshot: Snapshot,
  headers: Headers,
  door: Door & { readonly passthrough: PassthroughDoor },
  rule: PassthroughRule,
  now: number,
): Promise<Result<Principal, Failure>> {
  const { passthrough } = door;
  const isKnown = headers.has(gatewayTokenHeader);
  const isOpen = rule.jwt !== undefined || rule.anonymous !== "deny";
  if (isOpen && !isKnown) return admitGuest(headers, door, rule);
  // Up to here nothing tells the server from one that does not exist.
  const known = await admitKnown(snapshot, headers, door, now);
  if (!known.ok || !passthrough.reaches(known.value)) return known;
  if (!isKnown) return err(misplaced);
  const brought = await readBrought(headers, door);
  if (!brought.ok) return brought;
  const fulfilled = await fulfil(passthrough, rule, brought.value.passthrough);
  return fulfilled.ok ? ok({ ...known.value, ...brought.value }) : fulfilled;
}

/** Nobody is known in development mode, and nothing is checked but that no token of ours goes on. */
export async function admitDeveloper(
  headers: Headers,
  door: Door & { readonly passthrough: PassthroughDoor },
  developer: Principal,
): Promise<Result<Principal, Failure>> {
  const brought = await readBrought(headers, door);
  return brought.ok ? ok({ ...developer, ...brought.value }) : brought;
}

async function admitGuest(
  headers: Headers,
  door: Door & { readonly passthrough: PassthroughDoor },
  rule: PassthroughRule,
): Promise<Result<Principal, Failure>> {
  const { server } = door.passthrough;
  const brought = await readBrought(headers, door);
  if (!brought.ok) return brought;
  const caller = await fulfil(door.passthrough, rule, brought.value.passthrough);
  if (!caller.ok) return caller;
  if (caller.value === undefined) {
    return ok({ id: `anonymous:${server.id}`, kind: "anonymous", agent: `anonymous:${server.slug}`, ...brought.value });
  }
  const { hash, subject, expires_at } = caller.value;
  return ok({
    id: `passthrough:${server.id}:${hash}`,
    kind: "passthrough",
    agent: `passthrough:${server.slug}`,
    ...(subject === undefined ? {} : { subject }),
    expires_at,
    ...brought.value,
  });
}

/** @returns undefined where no JWT is asked for */
async function fulfil(
  { inquirer }: PassthroughDoor,
  { jwt }: PassthroughRule,
  { authorization }: Passthrough,
): Promise<Result<ForeignCaller | undefined, Failure>> {
  return jwt === undefined ? ok(undefined) : admitForeignCaller(inquirer, jwt, authorization);
}

/** What the caller brings along for the server. */
async function readBrought(
  headers: Headers,
  { origin, passthrough: { server, digest, inquirer } }: Door & { readonly passthrough: PassthroughDoor },
): Promise<Result<{ readonly passthrough: Passthrough; readonly holder?: string }, Failure>> {
  const read = readAuthorization(headers);
  if (!read.ok) return read;
  const authorization = read.value;
  const others = goingOn(server, headers);
  const values = [authorization ?? "", ...others.map(([, value]) => value)];
  const issuers = ownIssuers(inquirer.platform.configuration, origin);
  if (values.some((value) => holdsOwnToken(value, issuers))) return err(misplaced);
  const holder = await holderOf(authorization, others, digest);
  const { id: server_id, slug, agent_authentication } = server;
  return ok({
    passthrough: { server_id, slug, authorization, rule: agent_authentication },
    ...(holder === undefined ? {} : { holder }),
  });
}
