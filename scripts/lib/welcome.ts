/** What `npm start` prints once everything answers. Each command works as it is printed. */
import type { Person } from "./identity-pages.ts";

function firstCall(endpoint: string): string {
  const body = {
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: {
      name: "add",
      arguments: { a: 2, b: 3 },
      _meta: {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { name: "curl", version: "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
      },
    },
  };
  return [
    `curl -sS ${endpoint} \\`,
    "  -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \\",
    "  -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H 'Mcp-Name: add' \\",
    `  -d '${JSON.stringify(body)}'`,
  ].join("\n");
}

/**
 * @param url of the gateway, with its real port
 * @param state the directory in which the state lies
 */
export function welcome(url: URL, slugs: readonly string[], state: string): string {
  const mcp = new URL("/mcp", url).href;
  const client = { mcpServers: { gatehouse: { type: "http", url: mcp } } };
  const servers = slugs.map((slug) => `  ${slug.padEnd(12)}${mcp}/${slug}`);
  return `
Gatehouse is running.

All servers   ${mcp}
One server each:
${servers.join("\n")}

For an MCP client:
  ${JSON.stringify(client)}

A first call:
${firstCall(`${mcp}/demo`)}

With the MCP Inspector:
npx @modelcontextprotocol/inspector --cli ${mcp} --transport http --protocol-era modern --method tools/list

The state is in ${state} (delete it to begin anew), the keys that seal it in .gatehouse/keys.
Development mode asks nobody who they are, and answers this machine only.
Ctrl-C stops everything.
`;
}

interface EnterpriseFacts {
  /** The directory in which the state lies. */
  readonly state: string;
  readonly issuer: string;
  readonly people: readonly Person[];
}

export function enterpriseWelcome(url: URL, { state, issuer, people }: EnterpriseFacts): string {
  const mcp = new URL("/mcp", url).href;
  const page = (path: string): string => new URL(path, url).href;
  const remote = { mcpServers: { gatehouse: { command: "npx", args: ["-y", "mcp-remote", mcp] } } };
  const listed = people.map(({ name, email, groups }) => `  ${name.padEnd(14)}${email.padEnd(20)}${groups.join(", ")}`);
  return `
Gatehouse is running in enterprise mode.

For AI clients      ${mcp}
My access           ${page("/me")}
My connections      ${page("/me/connections")}
Agent inventory     ${page("/admin/agents")}
All connections     ${page("/admin/connections")}
Identity provider   ${issuer}

People who can sign in (no password, this machine only):
${listed.join("\n")}
Ada administrates. Everybody reaches the server "demo"; the group engineering also reaches "everything".
The provider remembers who you are: to become somebody else, use a private window, or "Not you?" on the consent page.

Claude Code:
  claude mcp add --transport http gatehouse ${mcp}
Cursor, in ~/.cursor/mcp.json:
  ${JSON.stringify({ mcpServers: { gatehouse: { url: mcp } } })}
Any client that starts programs, through mcp-remote:
  ${JSON.stringify(remote)}

The admin API with the administrator's token:
curl -sS ${page("/api/v1/servers")} -H "Authorization: Bearer $(cat ${state}administrator-token)"

A server of your own on this machine must be allowed first, by its origin:
  GATEHOUSE_EGRESS_ORIGINS="http://localhost:9000" npm start -- --enterprise

The state is in ${state}, secrets included (delete it to begin anew), the keys that seal it in .gatehouse/keys.
Ctrl-C stops everything.
`;
}
