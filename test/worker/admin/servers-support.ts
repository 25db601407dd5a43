/** What tests of servers share: requests that must be refused, and what is behind the sealed columns. */
import { env } from "cloudflare:workers";
import { expect } from "vitest";
import { readSealedHeaders } from "../../../src/registry/index.ts";
import { serverHeaderSecretsBinding } from "../../../src/vault/index.ts";
import { harness, type Answered, type Harness } from "./harness.ts";

export const url = "https://mcp.example.com/mcp";
export const secret = "sk-live-0123456789-top-secret";

/** Refused with 422: nothing is stored or announced, and no secret is in the answer. */
export async function refused(
  body: object,
): Promise<{ readonly status: number; readonly path: string | undefined; readonly message: string }> {
  const admin = await harness();
  const answer = await admin.post("/servers", { slug: "x", url, ...body });
  const { results } = await env.DB.prepare("select id from servers where tenant_id = ?").bind(admin.tenant).all();
  expect(results).toEqual([]);
  expect(admin.announced_count).toBe(0);
  expect(answer.text + JSON.stringify(admin.events)).not.toContain(secret);
  const [first] = answer.body.errors ?? [];
  return { status: answer.status, path: first?.path, message: first?.message ?? "" };
}

/** The answer's members that the harness has no type for. */
export const member = (answer: Answered, name: string): unknown =>
  (JSON.parse(answer.text) as Record<string, unknown>)[name];

/** What `outbound/` will find when it opens the header secrets of the row. */
export async function headerSecrets(admin: Harness, id: string): Promise<unknown> {
  const row = await env.DB.prepare("select header_secrets, revision from servers where tenant_id = ? and id = ?")
    .bind(admin.tenant, id)
    .first<{ header_secrets: string | null; revision: number }>();
  if (row === null || row.header_secrets === null) return null;
  const text = await admin.vault.open(serverHeaderSecretsBinding(admin.tenant, id, row.revision), row.header_secrets);
  if (!text.ok) return text.error;
  const sealed = Object.entries(readSealedHeaders(text.value));
  return Object.fromEntries(sealed.map(([name, { secret: own }]) => [name, own]));
}

export async function privateKey(): Promise<string> {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  if (!("privateKey" in pair)) throw new Error("no pair");
  const bytes = await crypto.subtle.exportKey("pkcs8", pair.privateKey);
  if (!(bytes instanceof ArrayBuffer)) throw new Error("no bytes");
  return `-----BEGIN PRIVATE KEY-----\n${new Uint8Array(bytes).toBase64()}\n-----END PRIVATE KEY-----`;
}
