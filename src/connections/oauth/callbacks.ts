/**
 * Where the answers of authorization servers come to. One that people are sent to can send them on to another one, with the client id and
 * redirect URI that we have there; if our answers all came to one address, the code of the other one would be taken to the first.
 *
 * - A client that was registered by hand has the callback of its server: codes that come to another one are not of this server.
 * - One that registered itself has, below that, one of its own: what a former authorization server of the server knows is of no use.
 * - Our metadata document is the same for everybody, and so is its callback. There `iss` in the answer tells them apart (RFC 9207), so the
 *   document is used only where the authorization server promises it.
 * - `shared_callback` is for a client that several servers of one vendor have in common. Servers of two vendors cannot both have it.
 *
 * @see RFC 9700 section 4.4.2, RFC 9207 section 2.4; docs/decisions/0014-a-callback-for-each-server.md
 */
import type { Random } from "../../ports.ts";
import type { Server } from "../../registry/index.ts";

export type CallbackSettings = Pick<Server, "slug" | "authentication">;

/** Of our metadata document. */
export const documentCallback = (origin: string): string => `${origin}/connect/callback`;

/** Of a client that was registered by hand: what an administrator enters at the vendor. */
export function configuredCallback(origin: string, { slug, authentication }: CallbackSettings): string {
  return `${origin}/connect/${sharesCallback(authentication) ? "shared" : slug}/callback`;
}

/** 128 bits: nobody but the authorization server that it is given to knows it before people come back to it. */
export function newCallback(origin: string, { slug }: Pick<Server, "slug">, random: Random): string {
  const own = random.bytes(16).toBase64({ alphabet: "base64url", omitPadding: true });
  return `${origin}/connect/${slug}/callback/${own}`;
}

const sharesCallback = (authentication: Server["authentication"]): boolean =>
  authentication.type === "oauth" && authentication.shared_callback === true;

/** The servers of other vendors whose answers could pass for ones of this server, and its for theirs. */
export function mixedUpWith(
  servers: Iterable<CallbackSettings>,
  server: CallbackSettings,
): readonly CallbackSettings[] {
  if (!sharesCallback(server.authentication)) return [];
  const vendor = vendorOf(server.authentication);
  return [...servers].filter(
    ({ slug, authentication }) =>
      slug !== server.slug &&
      sharesCallback(authentication) &&
      (vendor === undefined || vendorOf(authentication) !== vendor),
  );
}

/** As an administrator named it; undefined where it is found out, so that it may be anybody. */
function vendorOf(authentication: Server["authentication"]): string | undefined {
  if (authentication.type !== "oauth") return undefined;
  const { issuer, endpoints } = authentication;
  if (issuer === undefined && endpoints === undefined) return undefined;
  return JSON.stringify([issuer ?? null, endpoints?.authorization ?? null, endpoints?.token ?? null]);
}
