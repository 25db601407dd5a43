/**
 * The kinds of documents, apart by who chose their URLs. An administrator named those of identity providers and workloads; anybody can
 * name those of clients. So that a stranger can neither spend what sign-in needs nor crowd it out, the two share no object and no budget.
 */

export type TrustedKind = "discovery" | "jwks";
export type ClientKind = "client_metadata" | "client_keys";
export type DocumentKind = TrustedKind | ClientKind;

const isClients: Readonly<Record<DocumentKind, boolean>> = {
  client_metadata: true,
  client_keys: true,
  discovery: false,
  jwks: false,
};

export const isClientKind = (kind: DocumentKind): kind is ClientKind => isClients[kind];

/** Name of the object that keeps the documents of one host for one tenant. No host has a slash. */
export const objectName = (tenant: string, kind: DocumentKind, host: string): string =>
  isClientKind(kind) ? `${tenant}:clients/${host}` : `${tenant}:${host}`;

/**
 * What a document turned out to be. `accepted`: it is kept. `unproven`: it may be right, but nothing shows it, as with a key set that
 * signed nothing yet; it only takes the place of one that is kept. `wrong`: it is not kept, and neither is what it replaces.
 */
export type Judgement = "accepted" | "unproven" | "wrong";
