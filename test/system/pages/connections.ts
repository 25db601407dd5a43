/** Servers that need something of each person, and accounts in every state. */
import { registerServer } from "../../../scripts/lib/admin-api.ts";
import type { World } from "./world.ts";

/** The accounts are Ada's. What is in them is not sealed by anybody: pages show only what stands beside it. */
export async function addConnections({ gatehouse }: World): Promise<void> {
  const { api } = gatehouse;
  const access = { everyone: true };
  const server = (slug: string, name: string, authentication: object): Promise<string> =>
    registerServer(api, { slug, name, url: `https://${slug}.example.com/mcp`, access, authentication });
  const endpoints = {
    authorization: "https://accounts.example.com/authorize",
    token: "https://accounts.example.com/token",
  };
  const hint = "Use the account of your team. Ask in the support channel, if you have none.";
  const host = await server("code-host", "Code host", {
    ...{ type: "oauth", endpoints, client_id: "gatehouse", scopes: ["repo:read", "issues:write"], hint },
  });
  await server("notes", "Notes", { type: "api_key_header", header: "X-Key", holder: "user", hint });
  const archive = await server("archive", "Archive", { type: "basic", holder: "user" });
  const database = await gatehouse.runtime.mf.getD1Database("DB", "gatehouse");
  const person = await database
    .prepare("select tenant_id, id from users limit 1")
    .first<{ tenant_id: string; id: string }>();
  const rows = [
    [host, "default", 1, "linked", "https://accounts.example.com"],
    [host, "work", 0, "needs_reauth", "https://accounts.example.com"],
    [archive, "default", 1, "linked", ""],
    ["a-server-that-is-gone", "default", 1, "linked", ""],
  ] as const;
  const insert = database.prepare(
    `insert into connections (tenant_id, id, user_id, target, account, is_default, state, credential, issuer, token_endpoint,
     client_id, scope, fit, step_ups, revision, tries, created_at, updated_at)
     values (?, ?, ?, ?, ?, ?, ?, '', ?, '', '', 'repo:read issues:write', 'as it was', 0, 1, 0, 1750000000000, 1750000000000)`,
  );
  await database.batch(rows.map((row) => insert.bind(person?.tenant_id, crypto.randomUUID(), person?.id, ...row)));
}
