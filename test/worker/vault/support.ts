/** A vault with a clock of its own. Keys are random for each run: nothing may depend on their bytes. */
import { base64url } from "jose";
import { v7 } from "uuid";
import { createVault, type Vault } from "../../../src/vault/index.ts";
import type { Clock, Random } from "../../../src/ports.ts";

export const start = Date.UTC(2026, 10, 21);

export interface TestPorts {
  readonly clock: Clock & { time: number };
  readonly random: Random;
}

export function testPorts(): TestPorts {
  const clock = { time: start, now: () => clock.time, sleep: () => Promise.resolve() };
  return {
    clock,
    random: {
      bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
      uuid: () => v7({ msecs: clock.time }),
    },
  };
}

export const randomKey = (): string => base64url.encode(crypto.getRandomValues(new Uint8Array(32)));

export async function vaultOf(keys: string, ports: TestPorts = testPorts()): Promise<Vault> {
  const vault = await createVault(keys, ports);
  if (!vault.ok) throw new Error(vault.error);
  return vault.value;
}

export const binding = { purpose: "server-credential", tenant: "a", record: "s1", field: "credential", revision: 1 };

/** The text with one bit of one character's code flipped. */
export function flip(text: string, bit: number): string {
  const at = Math.floor(bit / 8);
  const flipped = String.fromCharCode(text.charCodeAt(at) ^ (1 << (bit % 8)));
  return text.slice(0, at) + flipped + text.slice(at + 1);
}
