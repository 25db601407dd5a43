/** What a request to an upstream is authenticated for. */
import type { Base } from "../connections/index.ts";
import type { HeldCredential } from "../vault/index.ts";

/** Who stands behind the request. */
export interface Caller {
  /** The agent as the audit log names it. */
  readonly agent: string;
  /** The person for whom it calls; in development mode there is one, whose id is `development`. */
  readonly user?: CallerUser;
  /** Whether the organisation's credential may be added: not for everybody whom a passthrough server takes. */
  readonly mayUseOrganisation: boolean;
  /** Keyed digest of what the caller brings along for the server, where that is anything: two holders are never shown the same list. */
  readonly holder?: string;
  /** Headers that came with the request, for those that go on; `authorization` among them only where it is the caller's own. */
  readonly inbound: Headers;
}

export interface CallerUser {
  readonly id: string;
  /** Only one that the identity provider vouches for: what is sent on is taken for proved. */
  readonly email?: string;
}

/** @returns what servers may be told of the person */
export function callerUser(person: {
  readonly id: string;
  readonly email?: string | null | undefined;
  readonly email_verified: boolean;
}): CallerUser {
  const { id, email, email_verified } = person;
  return typeof email === "string" && email_verified ? { id, email } : { id };
}

export interface OutboundContext extends Base {
  readonly caller: Caller;
  /** The person's own credential that is tried before it is stored, in place of the stored one. */
  readonly trial?: HeldCredential;
}
