/** Credentials that are connections: of the person who calls, or of Gatehouse itself at an authorization server. */
import { liveCredential, type LiveCredential, type Renew } from "../connections/index.ts";
import type { Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import type { OutboundHeader, Server } from "../registry/index.ts";
import { connectionStore, type ConnectionKey } from "../vault/index.ts";
import type { OutboundContext } from "./context.ts";
import { Memory } from "./memory.ts";
import { refusal, type Proof } from "./part.ts";

/** What is being added: for this caller, after the server refused these. */
export interface Work {
  readonly context: OutboundContext;
  readonly server: Server;
  /** By `proofName`. */
  readonly rejected: ReadonlyMap<string, LiveCredential>;
}

export const proofName = ({ user_id, target, account }: ConnectionKey): string =>
  JSON.stringify([user_id, target, account]);

interface How {
  readonly renew?: Renew;
  readonly creates?: boolean;
  readonly fit?: string;
  readonly goesTo?: Server;
}

/**
 * A credential of app authentication. Where the server refused the last one it is renewed by force.
 * @returns `link_needed` with the account that is meant, and what else `liveCredential` fails with
 */
export async function personalProof(work: Work, key: ConnectionKey, how: How): Promise<Result<Proof, Failure>> {
  const rejected = work.rejected.get(proofName(key));
  const live = await liveCredential(work.context, key, { ...how, ...(rejected === undefined ? {} : { rejected }) });
  if (live.ok) return ok({ key, live: live.value });
  const { code, data, detail } = live.error;
  if (code === "link_needed") return err({ ...live.error, data: { ...data, account: key.account } });
  return err(code === "upstream_credential" && detail === undefined ? notRenewed(work.server, live.error) : live.error);
}

/** What there was is over, and its authorization server gave nothing new. Nothing that it said is told. */
const notRenewed = (server: Server, { reason = "token" }: Failure): Failure =>
  refusal(server, reason, "could not be renewed just now at its authorization server: try again later");

/** A token that Gatehouse gets by itself, so that no person can link it: `link_needed` is an administrator's matter here. */
export async function serviceProof(work: Work, key: ConnectionKey, how: How): Promise<Result<Proof, Failure>> {
  const proof = await personalProof(work, key, { ...how, creates: true });
  return proof.ok ? proof : err(asAdministrators(work.server, proof.error));
}

/**
 * The same for an additional header. A refusal rarely is about it, so a renewal that is not to be had leaves it as it was: the renewed
 * app authentication may be all that was missing.
 */
export async function headerProof(work: Work, key: ConnectionKey, how: How): Promise<Result<Proof, Failure>> {
  const proof = await serviceProof(work, key, how);
  if (proof.ok || !work.rejected.has(proofName(key))) return proof;
  return serviceProof({ ...work, rejected: new Map() }, key, how);
}

function asAdministrators(server: Server, failed: Failure): Failure {
  if (failed.code !== "link_needed") return failed;
  const what = "is not given any more by its authorization server: an administrator must look at its client there";
  return refusal(server, failed.reason ?? "not_given", what);
}

/** What the token of an additional header is made for: it goes to no other address, and another recipe is another token. */
export function fitOfHeader({ url }: Server, recipe: OutboundHeader): string {
  const { origin, pathname } = new URL(url);
  return JSON.stringify(["header", origin + pathname, recipe]);
}

const defaults = new Memory<string>();

/**
 * The account that calls use where a person has several. What is remembered is an account that is there: ending it, or choosing another,
 * makes a new version of the snapshot.
 */
export async function accountOf({ context }: Work, user_id: string, target: string): Promise<string> {
  const { platform, tenant, snapshot } = context;
  const now = platform.ports.clock.now();
  const name = JSON.stringify([tenant.id, snapshot.version, user_id, target]);
  const known = defaults.get(name, now) ?? (await connectionStore(context).accountFor(user_id, target));
  if (known === undefined) return "default";
  defaults.set(name, known, now);
  return known;
}
