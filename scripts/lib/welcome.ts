/** What `npm start` prints once everything answers. Each command works as it is printed. */

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

The state is in ${state} (delete it to begin anew).
Development mode asks nobody who they are, and answers this machine only.
Ctrl-C stops everything.
`;
}
