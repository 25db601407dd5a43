/** A5: the registrations and metadata documents that AI clients really send, and the authorization requests that follow. */
import { describe, expect, it } from "vitest";
import { checkAuthorization } from "../../../src/oauth/index.ts";
import { authorizeParameters, createWorld, register } from "./clients-support.ts";

type Shape = Readonly<Record<string, unknown>>;

/** [who, its document, what the tenant trusts, redirect URIs that it asks for, how it authenticates] */
const documents: readonly (readonly [string, Shape, readonly string[], readonly string[], string])[] = [
  [
    "Claude connector",
    {
      client_id: "https://claude.ai/oauth/mcp-oauth-client-metadata",
      client_name: "Claude",
      client_uri: "https://claude.ai",
      redirect_uris: ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    },
    ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"],
    ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"],
    "none",
  ],
  [
    "Claude Code",
    {
      client_id: "https://claude.ai/oauth/claude-code-client-metadata",
      client_name: "Claude Code",
      client_uri: "https://claude.ai",
      redirect_uris: ["http://localhost/callback", "http://127.0.0.1/callback"],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    },
    ["http://localhost/callback", "http://127.0.0.1/callback"],
    ["http://localhost:3118/callback", "http://127.0.0.1:52163/callback"],
    "none",
  ],
  [
    "ChatGPT",
    {
      client_id: "https://chatgpt.com/oauth/client.json",
      client_uri: "https://chatgpt.com/",
      redirect_uris: ["https://chatgpt.com/connector_platform_oauth_redirect"],
      token_endpoint_auth_method: "private_key_jwt",
      token_endpoint_auth_methods_supported: ["none", "private_key_jwt"],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      client_name: "ChatGPT",
      logo_uri: "https://persistent.oaistatic.com/sonic/misc/openai-logo.png",
      token_endpoint_auth_signing_alg: "RS256",
      jwks_uri: "https://chatgpt.com/oauth/jwks.json",
    },
    ["https://chatgpt.com/connector_platform_oauth_redirect"],
    ["https://chatgpt.com/connector_platform_oauth_redirect"],
    "private_key_jwt",
  ],
  [
    "ChatGPT, one document for each connector",
    {
      client_id: "https://chatgpt.com/oauth/j0wKlDBsmsUM/client.json",
      redirect_uris: ["https://chatgpt.com/connector/oauth/j0wKlDBsmsUM"],
      token_endpoint_auth_method: "private_key_jwt",
      token_endpoint_auth_methods_supported: ["none", "private_key_jwt"],
      client_name: "ChatGPT",
      jwks_uri: "https://chatgpt.com/oauth/jwks.json",
    },
    ["https://chatgpt.com/connector/oauth/j0wKlDBsmsUM"],
    ["https://chatgpt.com/connector/oauth/j0wKlDBsmsUM"],
    "private_key_jwt",
  ],
  [
    "Codex",
    {
      client_id: "https://chatgpt.com/oauth/codex/client.json",
      client_name: "Codex",
      redirect_uris: ["http://127.0.0.1/callback", "http://localhost/callback"],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    },
    ["http://127.0.0.1/callback"],
    ["http://127.0.0.1:1455/callback", "http://127.0.0.1:60123/callback"],
    "none",
  ],
  [
    "Visual Studio Code",
    {
      client_name: "Visual Studio Code",
      logo_uri: "https://code.visualstudio.com/assets/branding/code-stable.png",
      grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      application_type: "native",
      client_id: "https://vscode.dev/oauth/client-metadata.json",
      client_uri: "https://vscode.dev/product",
      redirect_uris: ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"],
    },
    ["http://127.0.0.1/", "https://vscode.dev/redirect"],
    ["http://127.0.0.1:33418/", "http://127.0.0.1:50000/", "http://127.0.0.1:33418", "https://vscode.dev/redirect"],
    "none",
  ],
];

describe("metadata documents", () => {
  it.each(documents)("A5: %s", async (_who, document, trusted, asked, authentication) => {
    const world = await createWorld();
    world.publish(document);
    await world.trust(...trusted);
    for (const redirect_uri of asked) {
      const checked = await checkAuthorization(
        world.visit,
        authorizeParameters(String(document["client_id"]), redirect_uri),
      );
      expect(checked).toMatchObject({
        kind: "request",
        request: { redirect_uri },
        client: { kind: "document", name: document["client_name"], authentication },
      });
    }
    expect(world.seen).toEqual([document["client_id"]]);
  });
});

/** [who, its registration, what the tenant trusts, redirect URIs that it asks for, how it authenticates] */
const registrations: readonly (readonly [string, Shape, readonly string[], readonly string[], string])[] = [
  [
    "Claude connector",
    {
      client_name: "Claude",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      scope: "mcp",
      redirect_uris: ["https://claude.ai/api/mcp/auth_callback"],
    },
    ["https://claude.ai/api/mcp/auth_callback"],
    ["https://claude.ai/api/mcp/auth_callback"],
    "none",
  ],
  [
    "Claude connector of before, which holds a secret",
    {
      client_name: "Claude",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "client_secret_post",
      scope: "claudeai",
      redirect_uris: ["https://claude.ai/api/mcp/auth_callback"],
    },
    ["https://claude.ai/api/mcp/auth_callback"],
    ["https://claude.ai/api/mcp/auth_callback"],
    "client_secret_post",
  ],
  [
    "Claude Code",
    {
      client_name: "Claude Code (gatehouse)",
      redirect_uris: ["http://localhost:3118/callback"],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      application_type: "native",
    },
    ["http://localhost/callback"],
    ["http://localhost:3118/callback", "http://localhost:54545/callback"],
    "none",
  ],
  [
    "Codex, with an ephemeral port and a path of its own",
    {
      client_name: "Codex",
      redirect_uris: ["http://127.0.0.1:37819/callback/h8sJ2kQ"],
      grant_types: ["authorization_code", "refresh_token"],
      token_endpoint_auth_method: "none",
      response_types: ["code"],
      application_type: "native",
    },
    ["http://127.0.0.1"],
    ["http://127.0.0.1:37819/callback/h8sJ2kQ", "http://127.0.0.1:41001/callback/h8sJ2kQ"],
    "none",
  ],
  [
    "Cursor, with three redirect URIs at once",
    {
      client_name: "Cursor",
      redirect_uris: [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback",
      ],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    },
    [
      "cursor://anysphere.cursor-mcp/oauth/callback",
      "https://www.cursor.com/agents/mcp/oauth/callback",
      "http://localhost/callback",
    ],
    [
      "cursor://anysphere.cursor-mcp/oauth/callback",
      "https://www.cursor.com/agents/mcp/oauth/callback",
      "http://localhost:8787/callback",
    ],
    "none",
  ],
  [
    "Visual Studio Code",
    {
      client_name: "Visual Studio Code",
      client_uri: "https://code.visualstudio.com",
      grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
      response_types: ["code"],
      redirect_uris: [
        "https://insiders.vscode.dev/redirect",
        "https://vscode.dev/redirect",
        "http://127.0.0.1/",
        "http://127.0.0.1:33418/",
      ],
      scope: "mcp",
      token_endpoint_auth_method: "none",
      application_type: "native",
    },
    ["https://vscode.dev/redirect", "http://127.0.0.1/"],
    ["https://vscode.dev/redirect", "http://127.0.0.1:33418/", "http://127.0.0.1:51000/"],
    "none",
  ],
  [
    "mcp-remote",
    {
      redirect_uris: ["http://localhost:15417/oauth/callback"],
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      client_name: "MCP CLI Proxy",
      client_uri: "https://github.com/modelcontextprotocol/mcp-cli",
      software_id: "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
      software_version: "0.15.1",
      scope: "mcp",
    },
    ["http://localhost/oauth/callback"],
    ["http://localhost:15417/oauth/callback"],
    "none",
  ],
  [
    "MCP Inspector",
    {
      redirect_uris: ["http://localhost:6274/oauth/callback"],
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      client_name: "MCP Inspector",
      client_uri: "https://github.com/modelcontextprotocol/inspector",
      scope: "",
      application_type: "native",
    },
    ["http://localhost/oauth/callback"],
    ["http://localhost:6274/oauth/callback"],
    "none",
  ],
];

describe("dynamic registration", () => {
  it.each(registrations)("A5: %s", async (_who, body, trusted, asked, authentication) => {
    const world = await createWorld();
    await world.trust(...trusted);
    const registered = await register(world.visit, body);
    expect(registered).toMatchObject({
      status: 201,
      body: {
        client_name: body["client_name"],
        redirect_uris: body["redirect_uris"],
        grant_types: ["authorization_code", "refresh_token"],
        token_endpoint_auth_method: authentication,
      },
    });
    expect(registered.body["client_secret"] === undefined).toBe(authentication === "none");
    const client_id = String(registered.body["client_id"]);
    for (const redirect_uri of asked) {
      const checked = await checkAuthorization(
        world.visit,
        authorizeParameters(client_id, redirect_uri, { scope: undefined }),
      );
      expect(checked).toMatchObject({
        kind: "request",
        request: { redirect_uri },
        client: { kind: "dynamic", authentication },
      });
    }
  });
});

describe("what such clients may not", () => {
  it.each([
    ["http://127.0.0.1:33418/callback"],
    ["https://vscode.dev/redirect/"],
    ["http://localhost:33418/"],
    ["http://user@127.0.0.1:33418/"],
    ["http://127.0.0.2:33418/"],
  ])("AS-02: Visual Studio Code at %s stops", async (redirect_uri) => {
    const world = await createWorld();
    const document = {
      client_id: "https://vscode.dev/oauth/client-metadata.json",
      client_name: "VS",
      redirect_uris: ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"],
    };
    world.publish(document);
    await world.trust("http://127.0.0.1", "http://localhost", "https://vscode.dev/redirect");
    const checked = await checkAuthorization(world.visit, authorizeParameters(document.client_id, redirect_uri));
    expect(checked).toMatchObject({ kind: "stopped", stop: { reason: "redirect_uri_not_registered" } });
  });

  it("A3: a path that the tenant does not trust stops, with what would be trusted", async () => {
    const world = await createWorld();
    await world.trust("http://127.0.0.1/callback");
    const { body } = await register(world.visit, {
      redirect_uris: ["http://127.0.0.1:1/callback/x"],
      token_endpoint_auth_method: "none",
    });
    const asked = authorizeParameters(String(body["client_id"]), "http://127.0.0.1:1/callback/x");
    expect(await checkAuthorization(world.visit, asked)).toMatchObject({
      kind: "stopped",
      stop: { reason: "redirect_uri_untrusted" },
    });
  });
});
