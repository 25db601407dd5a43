/** Rows that people and clients make by what they do, for tests of what an administrator sees of them. */
import { env } from "cloudflare:workers";
import { agents, connections, grants, identity_providers, openDatabase, users } from "../../../src/db/index.ts";
import type { Harness } from "./harness.ts";

const database = openDatabase(env.DB);
const issuer = "https://id.example.com";

/** @returns the id of the provider, without which nobody is admitted */
export async function addProvider(admin: Harness): Promise<string> {
  const id = admin.ports.random.uuid();
  const now = admin.now;
  await database.insert(identity_providers).values({
    ...{
      tenant_id: admin.tenant,
      id,
      kind: "generic",
      name: "Company",
      issuer: `${issuer}/${id}`,
      client_id: "gatehouse",
    },
    ...{ credential: null, options: "{}", token_endpoint_origin: null, enabled: true, revision: 1 },
    ...{ created_at: now, updated_at: now },
  });
  return id;
}

export async function addUser(admin: Harness, over: Partial<typeof users.$inferInsert> = {}): Promise<string> {
  const id = admin.ports.random.uuid();
  const now = admin.now;
  await database.insert(users).values({
    ...{
      tenant_id: admin.tenant,
      id,
      provider_id: over.provider_id ?? (await addProvider(admin)),
      issuer,
      subject: id,
    },
    ...{
      email: `${id.slice(-4)}@example.com`,
      email_verified: true,
      name: "Ada",
      role: "member" as const,
      groups: "[]",
    },
    ...{ enabled: true, created_at: now, last_sign_in_at: now, updated_at: now },
    ...over,
  });
  return id;
}

export async function addGrant(admin: Harness, over: Partial<typeof grants.$inferInsert> = {}): Promise<string> {
  const id = admin.ports.random.uuid();
  const now = admin.now;
  await database.insert(grants).values({
    ...{ tenant_id: admin.tenant, id, user_id: over.user_id ?? (await addUser(admin)) },
    ...{
      client_id: "https://app.example/client.json",
      client_name: "App",
      redirect_uri: "https://app.example/callback",
    },
    ...{ resource: "https://a.gw.test/mcp", scope: "mcp", servers: "[]", source: '{"network":"192.0.2.0/24"}' },
    ...{ created_at: now, redeemed_at: now, last_used_at: now, expires_at: now + 86_400_000 },
    ...{ revoked_at: null, revoked_reason: null },
    ...over,
  });
  return id;
}

/** A connection as a row: what it holds does not open. */
export async function addConnection(admin: Harness, user_id?: string): Promise<string> {
  const id = admin.ports.random.uuid();
  const now = admin.now;
  await database.insert(connections).values({
    ...{ tenant_id: admin.tenant, id, user_id: user_id ?? (await addUser(admin)), target: "idp", account: "default" },
    ...{ is_default: true, state: "linked" as const, credential: "{}", issuer: "", token_endpoint: "", client_id: "" },
    ...{ fit: "", step_ups: 0, revision: 1, tries: 0, created_at: now, updated_at: now },
  });
  return id;
}

export const documentAgent = "https://app.example/client.json";

/** The key that stands for an agent's id in paths. */
export const keyOf = (id: string): string =>
  new TextEncoder().encode(id).toBase64({ alphabet: "base64url", omitPadding: true });

export async function addAgent(admin: Harness, over: Partial<typeof agents.$inferInsert> = {}): Promise<string> {
  const now = admin.now;
  const id = over.id ?? documentAgent;
  await database.insert(agents).values({
    ...{ tenant_id: admin.tenant, id, kind: "document" as const, name: "App", owner_id: null },
    ...{ first_seen_at: now, last_seen_at: now, blocked_at: null, blocked_reason: null, disabled_at: null },
    ...over,
  });
  return id;
}

/** The times up to which access tokens are void, by subject. */
export async function revokedSubjects(admin: Harness): Promise<Record<string, number>> {
  const statement = env.DB.prepare("select kind, subject, not_before from revocations where tenant_id = ?");
  const { results } = await statement.bind(admin.tenant).all<{ kind: string; subject: string; not_before: number }>();
  return Object.fromEntries(results.map(({ kind, subject, not_before }) => [`${kind}:${subject}`, not_before]));
}

/** A confidential client that people sign in with. */
export const confidential = {
  redirect_uris: ["https://chat.example/callback"],
  authentication: "client_secret_basic",
  grant_types: ["authorization_code", "refresh_token", "client_credentials"],
} as const;
