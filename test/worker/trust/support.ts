/** Somebody who asks for documents and verifies tokens, with a scripted network and a clock that the test moves. */
import { env } from "cloudflare:workers";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from "jose";
import { createSafeFetch } from "../../../src/egress/index.ts";
import { parseConfiguration } from "../../../src/env.ts";
import type { Platform } from "../../../src/platform.ts";
import type { Ports } from "../../../src/ports.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import type { Inquirer } from "../../../src/trust/index.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";

export interface World {
  readonly clock: VirtualClock;
  readonly inquirer: Inquirer;
  /** URLs that left the Worker, in order. */
  readonly seen: string[];
  /** Answers requests to this host; without one the connection is refused. */
  serve(host: string, answer: (request: Request) => Response | Promise<Response>): void;
  close(host: string): void;
  /** Another Worker of the same tenant, asked from a network. */
  sibling(network?: string): Inquirer;
}

export function createWorld(): World {
  const clock = new VirtualClock(Date.now());
  const hosts = new Map<string, (request: Request) => Response | Promise<Response>>();
  const seen: string[] = [];
  const ports: Ports = {
    ...systemPorts,
    clock,
    async network(request) {
      seen.push(request.url);
      const answer = hosts.get(new URL(request.url).host);
      if (answer === undefined) throw new TypeError("connection refused");
      return answer(request);
    },
  };
  const configuration = parseConfiguration({ ...env, GATEHOUSE_MODE: "enterprise" });
  if (!configuration.ok) throw new Error(configuration.error);
  const platform: Platform = {
    configuration: configuration.value,
    ports,
    bindings: env,
    waitUntil: () => undefined,
    log: () => undefined,
  };
  const tenant = { id: `t-${crypto.randomUUID().slice(0, 8)}` };
  const sibling = (network = "203.0.113.0/24"): Inquirer => ({
    platform,
    tenant,
    fetch: createSafeFetch(ports, { mode: "enterprise", origins: new Set() }),
    source: { network },
  });
  return {
    clock,
    inquirer: sibling(),
    seen,
    serve: (host, answer) => void hosts.set(host, answer),
    close: (host) => void hosts.delete(host),
    sibling,
  };
}

export interface Signer {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  /** As it is published. */
  readonly jwk: JWK;
}

export async function createSigner(kid: string, alg = "ES256"): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

export function sign(
  signer: Signer,
  claims: Record<string, unknown>,
  header: Record<string, unknown> = {},
): Promise<string> {
  return new SignJWT(claims as JWTPayload)
    .setProtectedHeader({ alg: signer.alg, kid: signer.kid, ...header })
    .sign(signer.privateKey);
}

const encode = (text: string): string =>
  new TextEncoder().encode(text).toBase64({ alphabet: "base64url", omitPadding: true });

/** A token whose header and claims are this very text. */
export async function signText(signer: Signer, header: string, claims: string): Promise<string> {
  const input = `${encode(header)}.${encode(claims)}`;
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(algorithm, signer.privateKey, new TextEncoder().encode(input));
  return `${input}.${new Uint8Array(signature).toBase64({ alphabet: "base64url", omitPadding: true })}`;
}

export const json = (value: unknown, headers: Record<string, string> = {}): Response =>
  new Response(typeof value === "string" ? value : JSON.stringify(value), {
    headers: { "content-type": "application/json", ...headers },
  });
