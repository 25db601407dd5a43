/**
 * The texts that are sealed of a server's secrets. The place that each secret was given for is sealed with it: whoever may write to the
 * database, and has no key, cannot have it sent to another address, authorization server or place in the request by editing the row.
 */
import * as z from "zod";
import { credentialSchema, type Credential } from "./authentication.ts";
import { canonicalHeader, headerNameSchema } from "./header-name.ts";
import { headerSecretSchema, type HeaderSecret, type HeaderSecrets, type OutboundHeader } from "./outbound-headers.ts";
import { placeOfCredential, placeOfHeader } from "./secret-places.ts";
import type { Server } from "./server.ts";

const sealedCredentialSchema = z.strictObject({ place: z.string(), credential: credentialSchema });

export type SealedCredential = z.output<typeof sealedCredentialSchema>;

type CredentialPlace = Pick<Server, "url" | "authentication">;

export const textOfCredential = (server: CredentialPlace, credential: Credential): string =>
  JSON.stringify({ place: placeOfCredential(server), credential } satisfies SealedCredential);

/**
 * @returns undefined for a text of another form. Release 0.1.0 sealed no place; such a credential has to be given again, since the row could
 *   have been edited for as long as it stood there
 */
export function readSealedCredential(text: string): SealedCredential | undefined {
  const sealed = sealedCredentialSchema.safeParse(JSON.parse(text));
  return sealed.success ? sealed.data : undefined;
}

/** Whether the server still is what the credential was given for. If not, its row was edited by somebody else than Gatehouse. */
export const isGivenFor = ({ place }: SealedCredential, server: CredentialPlace): boolean =>
  place === placeOfCredential(server);

const sealedHeadersSchema = z.record(
  headerNameSchema,
  z.strictObject({ place: z.string(), secret: headerSecretSchema }),
);

/** By canonical name. */
export type SealedHeaders = Readonly<Record<string, { readonly place: string; readonly secret: HeaderSecret }>>;

type HeaderPlace = Pick<Server, "url" | "outbound_headers">;

/** Secrets of headers that the server does not have are left out: nothing could be done with them. */
export function textOfHeaderSecrets(server: HeaderPlace, secrets: HeaderSecrets): string {
  const byName = new Map(Object.entries(secrets).map(([name, secret]) => [canonicalHeader(name), secret]));
  const sealed = server.outbound_headers.flatMap((recipe) => {
    const name = canonicalHeader(recipe.name);
    const secret = byName.get(name);
    return secret === undefined ? [] : [[name, { place: placeOfHeader(server, recipe), secret }] as const];
  });
  return JSON.stringify(Object.fromEntries(sealed) satisfies SealedHeaders);
}

/** @throws when the text is of another form: nothing else was ever sealed here */
export const readSealedHeaders = (text: string): SealedHeaders => sealedHeadersSchema.parse(JSON.parse(text));

/** @returns undefined where none is stored; `elsewhere` when it was given for another address or use, as in `isGivenFor` */
export function headerSecretFor(
  sealed: SealedHeaders,
  server: Pick<Server, "url">,
  recipe: OutboundHeader,
): HeaderSecret | "elsewhere" | undefined {
  const name = canonicalHeader(recipe.name);
  const found = Object.hasOwn(sealed, name) ? sealed[name] : undefined;
  if (found === undefined) return undefined;
  return found.place === placeOfHeader(server, recipe) ? found.secret : "elsewhere";
}
