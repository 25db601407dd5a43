/** How Gatehouse proves to a token endpoint who it is. */
import { importPKCS8 } from "jose";
import { ClientSecretPost, modifyAssertion, None, PrivateKeyJwt, type ClientAuth } from "oauth4webapi";
import { ok, type Result } from "../../ports.ts";
import type { ClientAuthentication, ClientSecret } from "../../registry/index.ts";
import type { Base, Party, TokenFailure } from "../types.ts";
import { wrong } from "./failures.ts";

type Algorithm = NonNullable<ClientSecret["algorithm"]>;

const assertionLife_s = 60;
const assertionId_bytes = 16;

/**
 * What a key is for, by the identifier in its first bytes, where an administrator did not say. RSA keys are used with PKCS #1
 * everywhere; PSS must be asked for.
 * @see RFC 5480 section 2.1.1.1; RFC 8410 section 3; RFC 8017 appendix A.1
 */
const identifiers: readonly (readonly [hex: string, algorithm: Algorithm])[] = [
  ["06082a8648ce3d030107", "ES256"],
  ["06052b81040022", "ES384"],
  ["06032b6570", "EdDSA"],
  ["06092a864886f70d010101", "RS256"],
];
/** Of PKCS #8, the part before the key itself. */
const head_chars = 64;

/** @see RFC 6749 section 2.3.1; RFC 7523 section 2.2 */
export async function clientAuthentication(
  { platform }: Pick<Base, "platform">,
  party: Pick<Party, "client_authentication" | "secret">,
): Promise<Result<ClientAuth, TokenFailure>> {
  const { client_authentication: method, secret } = party;
  if (method === "none") return ok(None());
  if (method === "private_key_jwt") return assertion(platform, secret);
  if (secret.client_secret === undefined) return wrong("client_secret_missing");
  return ok(method === "client_secret_post" ? ClientSecretPost(secret.client_secret) : basic(secret.client_secret));
}

/**
 * The library's own encodes more than it must (`-` as `%2D`), which is right and which servers that compare without decoding refuse.
 * @see RFC 6749 section 2.3.1 and appendix B
 */
function basic(secret: string): ClientAuth {
  const encoded = (text: string): string => new URLSearchParams([["", text]]).toString().slice(1);
  return (_server, client, _body, headers) => {
    headers.set("authorization", `Basic ${btoa(`${encoded(client.client_id)}:${encoded(secret)}`)}`);
  };
}

async function assertion(
  { ports }: Base["platform"],
  { private_key, algorithm, key_id }: ClientSecret,
): Promise<Result<ClientAuth, TokenFailure>> {
  if (private_key === undefined) return wrong("private_key_missing");
  const imported = await importKey(private_key, algorithm);
  if (imported === undefined) return wrong("private_key_invalid");
  const { key, alg } = imported;
  return ok(
    PrivateKeyJwt(key_id === undefined ? { key } : { key, kid: key_id }, {
      // The library would use the system's clock and its own name of EdDSA, which fewer servers know.
      [modifyAssertion]: (header, payload) => {
        const now_s = Math.floor(ports.clock.now() / 1000);
        header["alg"] = alg;
        Object.assign(payload, {
          iat: now_s,
          nbf: now_s,
          exp: now_s + assertionLife_s,
          jti: ports.random.bytes(assertionId_bytes).toBase64({ alphabet: "base64url", omitPadding: true }),
        });
      },
    }),
  );
}

async function importKey(
  pem: string,
  told: Algorithm | undefined,
): Promise<{ readonly key: CryptoKey; readonly alg: Algorithm } | undefined> {
  try {
    const alg = told ?? algorithmOf(pem);
    return alg === undefined ? undefined : { key: await importPKCS8(pem, alg), alg };
  } catch {
    // Its text may hold a part of the key.
    return undefined;
  }
}

/** @throws when it is no base64 */
function algorithmOf(pem: string): Algorithm | undefined {
  const text = pem.replaceAll(/-----[^-]+-----|\s/g, "");
  const head = Uint8Array.fromBase64(text).toHex().slice(0, head_chars);
  return identifiers.find(([hex]) => head.includes(hex))?.[1];
}

/**
 * What a server that says which methods it takes is best asked with; where it says nothing, Basic is what every server takes.
 * @returns undefined when there is none that we have
 * @see RFC 8414 section 2 on the default
 */
export function preferredMethod(
  methods: readonly string[] | undefined,
  candidates: readonly ClientAuthentication[],
): ClientAuthentication | undefined {
  return methods === undefined ? candidates[0] : candidates.find((method) => methods.includes(method));
}
