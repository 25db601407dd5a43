/** The header recipe of a stored credential: the organisation's value of that name, or the person's own. */
import {
  credentialTarget,
  openStoredCredential,
  storedCredentialsRepository,
  type StoredCredential,
} from "../connections/index.ts";
import { openDatabase } from "../db/index.ts";
import type { Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import type { OutboundHeader } from "../registry/index.ts";
import type { OutboundContext } from "./context.ts";
import { accountOf, personalProof, proofName, type Work } from "./live.ts";
import { Memory } from "./memory.ts";
import { noPerson, organisationNotAllowed, refusal, type Value } from "./part.ts";

/** What a name stands for. The value is undefined where each person has their own. */
interface Named {
  readonly name: string;
  readonly holder: StoredCredential["holder"];
  readonly value?: string;
}

/** A change of one is a change of the snapshot's version. */
const memory = new Memory<Named>();

type Recipe = Extract<OutboundHeader, { source: "stored_credential" }>;

export async function storedCredential(work: Work, { credential_id }: Recipe): Promise<Result<Value, Failure>> {
  const { context, server } = work;
  const { caller } = context;
  const named = await namedCredential(context, credential_id);
  if (!named.ok) return named;
  if (named.value === undefined) {
    return err(
      refusal(
        server,
        "credential_missing",
        "is kept by a name that is there no more: an administrator must choose another",
      ),
    );
  }
  if (named.value.holder === "organisation") {
    const { value } = named.value;
    if (!caller.mayUseOrganisation) return err(organisationNotAllowed(server));
    if (value === undefined)
      return err(refusal(server, "credential_missing", "is not stored: an administrator must set it"));
    return ok({ text: value });
  }
  if (caller.user === undefined) return err(noPerson(server));
  return ofPerson(work, caller.user.id, credential_id, named.value.name);
}

/**
 * A refusal of the server rarely is about it, and nobody can renew it: it is never held against it.
 * @returns `link_needed` with the id of the stored credential that the person has to give theirs of
 */
async function ofPerson(
  work: Work,
  user_id: string,
  credential_id: string,
  credential_name: string,
): Promise<Result<Value, Failure>> {
  const target = credentialTarget(credential_id);
  const key = { user_id, target, account: await accountOf(work, user_id, target) };
  const others = new Map(work.rejected);
  others.delete(proofName(key));
  const proof = await personalProof({ ...work, rejected: others }, key, { goesTo: work.server });
  if (!proof.ok) {
    const { code, data } = proof.error;
    return err(
      code === "link_needed" ? { ...proof.error, data: { ...data, credential_id, credential_name } } : proof.error,
    );
  }
  const { credential } = proof.value.live;
  if (credential.kind === "secret") return ok({ text: credential.value, proofs: [proof.value] });
  return err(refusal(work.server, "credential_mismatch", "is no key"));
}

/** @returns undefined when there is none with this id */
async function namedCredential(context: OutboundContext, id: string): Promise<Result<Named | undefined, Failure>> {
  const { platform, tenant, snapshot, vault } = context;
  const now = platform.ports.clock.now();
  const name = JSON.stringify([tenant.id, snapshot.version, id]);
  const known = memory.get(name, now);
  if (known !== undefined) return ok(known);
  const stored = await storedCredentialsRepository(openDatabase(platform.bindings.DB), tenant.id).get(id);
  if (stored === undefined) return ok(undefined);
  const named = await openNamed(vault, tenant.id, stored);
  if (named.ok) memory.set(name, named.value, now);
  return named;
}

async function openNamed(
  vault: OutboundContext["vault"],
  tenant: string,
  stored: StoredCredential,
): Promise<Result<Named, Failure>> {
  const { holder, name } = stored;
  if (holder === "user" || stored.credential === null) return ok({ holder, name });
  const value = await openStoredCredential(vault, tenant, stored);
  return value.ok ? ok({ holder, name, value: value.value }) : value;
}
