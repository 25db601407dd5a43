/**
 * The only place that reads the key-encryption keys: secrets at rest, handles that clients carry, and keyed digests. No
 * caller learns more from a failure than that there was one.
 */
import { base64url } from "jose";
import { failure, type Failure } from "../errors.ts";
import { err, ok, type JsonObject, type Ports, type Result } from "../ports.ts";
import { createDerivedKeys } from "./derived-keys.ts";
import { openContent, parseHandle, sealContent } from "./handle.ts";
import { parseKeyRing } from "./keyring.ts";
import { openRecord, parseRecord, sealRecord, type Binding } from "./sealed-record.ts";

export interface Vault {
  /** Ids of the key-encryption keys: the one that seals, and all that open. */
  readonly keys: { readonly current: string; readonly all: readonly string[] };
  /** Seals under the current key. The text must be well-formed; callers seal JSON. */
  seal(binding: Binding, plaintext: string): Promise<string>;
  /** Failure `unavailable`: reason `vault_key_unknown` when its key left the ring, else `vault_tamper`, whatever is wrong. */
  open(binding: Binding, sealed: string): Promise<Result<string, Failure>>;
  /**
   * The same text under the current key, at the same place. What is under it already is opened all the same, so that walking over all
   * records finds every one that does not open.
   * @returns undefined when it is under the current key; failures as `open`
   */
  reseal(binding: Binding, sealed: string): Promise<Result<string | undefined, Failure>>;
  /**
   * A handle for a client to carry, of URL-safe characters.
   * @param expires_at milliseconds since the Unix epoch
   */
  sealHandle(purpose: string, tenant: string, payload: JsonObject, expires_at: number): Promise<string>;
  /** Failure `invalid_params`: reason `handle_invalid` or, for one that was good, `handle_expired`. */
  openHandle(purpose: string, tenant: string, handle: string): Promise<Result<JsonObject, Failure>>;
  /** `kid:` and 128 bits of HMAC-SHA-256 under a key of the tenant: equal values can be found, none can be read or guessed. */
  digest(tenant: string, value: string): Promise<string>;
}

const digest_bytes = 16;

interface Opened {
  readonly kid: string;
  readonly plaintext: string;
}

/**
 * @param keys the value of GATEHOUSE_KEYS
 * @returns the vault, or a sentence that names the variable and what to do; then the deployment stays sealed
 */
export async function createVault(
  keys: string,
  ports: Pick<Ports, "clock" | "random">,
): Promise<Result<Vault, string>> {
  const ring = parseKeyRing(keys);
  if (!ring.ok) return ring;
  const deriveKey = await createDerivedKeys(ring.value);
  const current = ring.value.current.kid;

  async function currentKey(use: "seal" | "handle" | "digest", purpose: string, tenant: string): Promise<CryptoKey> {
    const key = await deriveKey(current, use, purpose, tenant);
    if (key === undefined) throw new Error("The current key is not in the key ring.");
    return key;
  }

  async function seal(binding: Binding, plaintext: string): Promise<string> {
    const key = await currentKey("seal", binding.purpose, binding.tenant);
    return sealRecord(key, current, binding, plaintext);
  }

  async function open(binding: Binding, sealed: string): Promise<Result<Opened, Failure>> {
    const record = parseRecord(sealed);
    if (record === undefined) return err(refused("vault_tamper"));
    const key = await deriveKey(record.kid, "seal", binding.purpose, binding.tenant);
    if (key === undefined) return err(refused("vault_key_unknown"));
    const plaintext = await openRecord(key, binding, record.stored);
    return plaintext === undefined ? err(refused("vault_tamper")) : ok({ kid: record.kid, plaintext });
  }

  return ok({
    keys: { current, all: ring.value.all.map(({ kid }) => kid) },

    seal,

    async open(binding, sealed) {
      const opened = await open(binding, sealed);
      return opened.ok ? ok(opened.value.plaintext) : opened;
    },

    async reseal(binding, sealed) {
      const opened = await open(binding, sealed);
      if (!opened.ok) return opened;
      return ok(opened.value.kid === current ? undefined : await seal(binding, opened.value.plaintext));
    },

    async sealHandle(purpose, tenant, payload, expires_at) {
      const key = await currentKey("handle", purpose, tenant);
      return sealContent(key, current, { expires_at, payload }, ports.random);
    },

    async openHandle(purpose, tenant, handle) {
      const parsed = parseHandle(handle);
      const key = parsed === undefined ? undefined : await deriveKey(parsed.kid, "handle", purpose, tenant);
      const content = parsed === undefined || key === undefined ? undefined : await openContent(key, parsed.body);
      if (content === undefined) return err(failure("invalid_params", undefined, { reason: "handle_invalid" }));
      if (ports.clock.now() >= content.expires_at) {
        return err(failure("invalid_params", undefined, { reason: "handle_expired" }));
      }
      return ok(content.payload);
    },

    async digest(tenant, value) {
      const key = await currentKey("digest", "", tenant);
      const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(value)));
      return `${current}:${base64url.encode(mac.subarray(0, digest_bytes))}`;
    },
  });
}

const refused = (reason: "vault_tamper" | "vault_key_unknown"): Failure =>
  failure("unavailable", undefined, { reason });
