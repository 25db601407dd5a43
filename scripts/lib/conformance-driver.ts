/**
 * What the conformance suite runs as "the client": it registers the suite's server with a running Gatehouse and does through
 * `/mcp/{server}` what the scenario asks for, so that the suite sees Gatehouse as its client. The last argument is the URL of
 * the suite's server.
 */
import { Client, StreamableHTTPClientTransport, type ClientOptions } from "@modelcontextprotocol/client";
import * as z from "zod";
import { callModern, type ModernRequest } from "../../test/system/support/modern-request.ts";
import { createApi, registerServer } from "./admin-api.ts";
import { clientSchema, oauthServer, useWithAccount } from "./conformance-account.ts";

/** A little less than the suite waits. */
const drive_ms = 28_000;

const environment = z.object({
  /** Of a Gatehouse in development mode, which asks for no token. */
  GATEHOUSE_CONFORMANCE_URL: z.url(),
  MCP_CONFORMANCE_SCENARIO: z.string(),
  MCP_CONFORMANCE_PROTOCOL_VERSION: z.string(),
  MCP_CONFORMANCE_CONTEXT: z.string().default("{}"),
});
const contextSchema = z.object({
  toolCalls: z.array(z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()) })).default([]),
});
const toolsSchema = z.object({ tools: z.array(z.object({ name: z.string() })) });

const { GATEHOUSE_CONFORMANCE_URL: gatehouse, ...suite } = environment.parse(process.env);
const context = contextSchema.parse(JSON.parse(suite.MCP_CONFORMANCE_CONTEXT));

async function connect(endpoint: URL, capabilities: ClientOptions["capabilities"] = {}): Promise<Client> {
  const modern = suite.MCP_CONFORMANCE_PROTOCOL_VERSION === "2026-07-28";
  const client = new Client(
    { name: "gatehouse-conformance", version: "1.0.0" },
    { capabilities, versionNegotiation: { mode: modern ? { pin: "2026-07-28" } : "legacy" } },
  );
  await client.connect(new StreamableHTTPClientTransport(endpoint));
  return client;
}

type Drive = (endpoint: URL) => Promise<void>;

/** A client that accepts what it is asked with `content`. */
async function connectAnswering(
  endpoint: URL,
  capabilities: ClientOptions["capabilities"],
  content: Record<string, boolean>,
): Promise<Client> {
  const client = await connect(endpoint, capabilities);
  client.setRequestHandler("elicitation/create", async () => ({ action: "accept", content }));
  return client;
}

const listTools: Drive = async (endpoint) => {
  const client = await connect(endpoint);
  await client.listTools();
  await client.close();
};

const scenarios: Readonly<Record<string, Drive>> = {
  initialize: listTools,
  "json-schema-ref-no-deref": listTools,

  async tools_call(endpoint) {
    const client = await connect(endpoint);
    await client.listTools();
    await client.callTool({ name: "add_numbers", arguments: { a: 5, b: 3 } });
    await client.close();
  },

  async "elicitation-sep1034-client-defaults"(endpoint) {
    const client = await connectAnswering(endpoint, { elicitation: { form: { applyDefaults: true } } }, {});
    await client.listTools();
    await client.callTool({ name: "test_client_elicitation_defaults", arguments: {} });
    await client.close();
  },

  async "sse-retry"(endpoint) {
    const client = await connect(endpoint);
    await client.listTools();
    await client.callTool({ name: "test_reconnection", arguments: {} });
    await client.close();
  },

  // By hand: the server declares no tools, so that a client of the SDK would not ask for them. It rejects the first request
  // that reaches it, which is Gatehouse's own `server/discover`; the list is then asked for with the version that it supports.
  async "request-metadata"(endpoint) {
    await callModern(endpoint, { method: "tools/list", capabilities: { roots: {}, sampling: {}, elicitation: {} } });
  },

  async "sep-2322-client-request-state"(endpoint) {
    const client = await connectAnswering(endpoint, { elicitation: {} }, { confirmed: true });
    await client.listTools();
    for (const name of ["test_mrtr_echo_state", "test_mrtr_no_state", "test_mrtr_unrelated"]) {
      await client.callTool({ name, arguments: {} });
    }
    await client.close();
    // By hand: a client of the SDK throws at a result without `resultType`, which this tool gives.
    await callModern(endpoint, { method: "tools/call", params: { name: "test_mrtr_no_result_type", arguments: {} } });
  },

  async "http-standard-headers"(endpoint) {
    const client = await connect(endpoint);
    for (const { name } of (await client.listTools()).tools) await client.callTool({ name, arguments: {} });
    for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri });
    for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name, arguments: {} });
    await client.close();
  },

  async "http-custom-headers"(endpoint) {
    const client = await connect(endpoint);
    await client.listTools();
    for (const call of context.toolCalls) await client.callTool(call);
    await client.close();
  },

  // By hand: a client of the SDK would leave the invalid tools out itself, and the suite would not see that Gatehouse does.
  async "http-invalid-tool-headers"(endpoint) {
    const send = async (request: ModernRequest): Promise<unknown> => (await callModern(endpoint, request)).message;
    const listed = z.object({ result: toolsSchema }).parse(await send({ method: "tools/list" }));
    for (const { name } of listed.result.tools) {
      const headers = { "mcp-param-region": "us-west1" };
      await send({ method: "tools/call", params: { name, arguments: { region: "us-west1" } }, headers });
    }
  },
};

// The suite ends the shell that runs this program, not the program.
setTimeout(() => {
  process.stderr.write("The scenario took too long.\n");
  process.exit(1);
}, drive_ms).unref();

const upstream = process.argv.at(-1) ?? "";
const scenario = suite.MCP_CONFORMANCE_SCENARIO;
const withOAuth = scenario.startsWith("auth/");
const drive = withOAuth ? useWithAccount : scenarios[scenario];
if (drive === undefined) throw new Error(`Nothing to do for the scenario ${scenario}`);
const slug = `s-${process.pid}`;
const client = clientSchema.parse(JSON.parse(suite.MCP_CONFORMANCE_CONTEXT));
const server = { slug, url: upstream, ...(withOAuth ? oauthServer(scenario, client) : {}) };
await registerServer(createApi(new URL(gatehouse)), server);
await drive(new URL(`/mcp/${slug}`, gatehouse));
// A stream of changes may still be open.
process.exit(0);
