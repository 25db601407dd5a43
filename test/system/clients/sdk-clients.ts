/** The SDK's clients of both generations and the program mcp-remote, with one way to use them. */
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport as TransportTypeV1 } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  CallToolResultSchema,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import * as z from "zod";
import { bin } from "../../../scripts/lib/root.ts";

export type Era = "legacy" | "modern";
export type Json = Readonly<Record<string, unknown>>;

export interface Told {
  readonly method: string;
  readonly params: unknown;
}

export interface CallOptions {
  readonly onprogress?: (step: { progress: number }) => void;
  readonly signal?: AbortSignal;
}

interface Named {
  readonly name: string;
}

/** What both generations of the client have under the same name. */
interface Methods {
  getServerCapabilities(): object | undefined;
  ping(): Promise<unknown>;
  listTools(): Promise<{ tools: readonly Named[] }>;
  listPrompts(): Promise<{ prompts: readonly Named[] }>;
  getPrompt(params: { name: string; arguments?: Record<string, string> }): Promise<{ messages: readonly unknown[] }>;
  listResources(): Promise<{ resources: readonly { readonly uri: string }[] }>;
  listResourceTemplates(): Promise<{ resourceTemplates: readonly { readonly uriTemplate: string }[] }>;
  readResource(params: { uri: string }): Promise<{ contents: readonly { readonly uri: string }[] }>;
  complete(params: {
    ref: { type: "ref/prompt"; name: string };
    argument: { name: string; value: string };
  }): Promise<{ completion: { values: readonly string[] } }>;
  setLoggingLevel(level: "debug" | "error"): Promise<unknown>;
  sendRootsListChanged(): Promise<void>;
  close(): Promise<void>;
}

export interface Peer {
  readonly era: Era;
  readonly client: Methods;
  /** The revision that was agreed on. */
  version(): string | undefined;
  /** Notifications, in order of arrival. */
  readonly told: readonly Told[];
  /** Methods that servers asked for. */
  readonly asked: readonly string[];
  call(name: string, input?: Json, options?: CallOptions, meta?: Json): Promise<Json>;
  /** For methods that the SDK has no name for. */
  request(method: string, params: Json): Promise<Json>;
  /** Subscribes to a resource, in the manner of the era. @returns what ends it */
  subscribe(uri: string): Promise<() => Promise<unknown>>;
  /** Listens to changes of the lists, which clients of 2025 do anyway. @returns what ends it */
  listen(): Promise<() => Promise<unknown>>;
}

/** Where a client connects to. */
export interface Door {
  readonly url: URL;
  readonly token: string;
  /** A directory of the test's own, for programs that keep files. */
  readonly scratch: string;
}

const info = { name: "system-test", version: "1.0.0" };
const capabilities = { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } };
export const root = "file:///work/project";

/** What the person and the model behind each client answer: always the same. */
const person = { response: "Ada", name: "Ada", people: 4 };
const elicited = (mode: unknown) =>
  mode === "url" ? ({ action: "accept" } as const) : ({ action: "accept", content: person } as const);
const sampled = () => ({
  role: "assistant" as const,
  model: "test-model",
  content: { type: "text" as const, text: "Hello from the model" },
});
const roots = () => ({ roots: [{ uri: root, name: "project" }] });

const anything = z.record(z.string(), z.unknown());
const initOf = ({ token }: Door) => ({
  requestInit: { headers: token === "" ? {} : { authorization: `Bearer ${token}` } },
  // The defaults give up before a restart is over.
  reconnectionOptions: {
    initialReconnectionDelay: 200,
    maxReconnectionDelay: 200,
    reconnectionDelayGrowFactor: 1,
    maxRetries: 100,
  },
});

/** A client of SDK v1 over any of its transports. */
async function connectV1(transport: TransportTypeV1): Promise<Peer> {
  const client = new ClientV1(info, { capabilities });
  const [told, asked]: [Told[], string[]] = [[], []];
  client.fallbackNotificationHandler = async ({ method, params }) => void told.push({ method, params });
  client.setRequestHandler(ElicitRequestSchema, ({ method, params }) => {
    asked.push(method);
    return elicited(params.mode);
  });
  client.setRequestHandler(CreateMessageRequestSchema, ({ method }) => {
    asked.push(method);
    return sampled();
  });
  client.setRequestHandler(ListRootsRequestSchema, ({ method }) => {
    asked.push(method);
    return roots();
  });
  let version: string | undefined;
  // The client tells its transport, and nobody else.
  const tellTransport = transport.setProtocolVersion?.bind(transport);
  transport.setProtocolVersion = (agreed) => {
    version = agreed;
    tellTransport?.(agreed);
  };
  await client.connect(transport);
  return {
    era: "legacy",
    ...{ client, told, asked },
    version: () => version,
    call: async (name, input = {}, options = {}, meta = {}) =>
      anything.parse(
        await client.callTool({ name, arguments: { ...input }, _meta: { ...meta } }, CallToolResultSchema, options),
      ),
    request: (method, params) => client.request({ method, params: { ...params } }, anything),
    async subscribe(uri) {
      await client.subscribeResource({ uri });
      return () => client.unsubscribeResource({ uri });
    },
    listen: async () => async () => undefined,
  };
}

/** A client of SDK v2 over Streamable HTTP. */
async function connectV2(door: Door, era: Era, mode: "legacy" | "auto" | { pin: string }): Promise<Peer> {
  const client = new Client(info, { capabilities, versionNegotiation: { mode } });
  const [told, asked]: [Told[], string[]] = [[], []];
  client.fallbackNotificationHandler = async ({ method, params }) => void told.push({ method, params });
  client.setRequestHandler("elicitation/create", ({ method, params }) => {
    asked.push(method);
    return elicited(params.mode);
  });
  client.setRequestHandler("sampling/createMessage", ({ method }) => {
    asked.push(method);
    return sampled();
  });
  client.setRequestHandler("roots/list", ({ method }) => {
    asked.push(method);
    return roots();
  });
  await client.connect(new StreamableHTTPClientTransport(door.url, initOf(door)));
  const listen = async (filter: Parameters<typeof client.listen>[0]) => {
    const subscription = await client.listen(filter);
    return () => subscription.close();
  };
  return {
    ...{ era, client, told, asked },
    version: () => client.getNegotiatedProtocolVersion(),
    call: async (name, input = {}, options = {}, meta = {}) =>
      anything.parse(await client.callTool({ name, arguments: { ...input }, _meta: { ...meta } }, options)),
    request: (method, params) => client.request({ method, params: { ...params } }, anything),
    async subscribe(uri) {
      if (era === "modern") return await listen({ resourceSubscriptions: [uri] });
      await client.subscribeResource({ uri });
      return () => client.unsubscribeResource({ uri });
    },
    listen: async () =>
      era === "modern"
        ? await listen({ toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true })
        : async () => undefined,
  };
}

/** The program mcp-remote, which takes a client on standard input to a server. */
const remote = ({ url, token, scratch }: Door): TransportTypeV1 =>
  new StdioClientTransport({
    command: bin("node"),
    args: [bin("mcp-remote"), url.href, "--header", `Authorization:Bearer ${token}`],
    env: { HOME: scratch, MCP_REMOTE_CONFIG_DIR: join(scratch, "mcp-remote") },
    stderr: "ignore",
  });

export interface ClientKind {
  readonly client: string;
  readonly era: Era;
  connect(door: Door): Promise<Peer>;
}

export const sdkV1: ClientKind = {
  client: "SDK 1.32",
  era: "legacy",
  connect: (door) => connectV1(new TransportV1(door.url, initOf(door)) as TransportTypeV1),
};
export const sdkV2: ClientKind = {
  client: "SDK 2.4 as of 2025",
  era: "legacy",
  connect: (door) => connectV2(door, "legacy", "legacy"),
};
export const sdkV2Auto: ClientKind = {
  client: "SDK 2.4, negotiating",
  era: "modern",
  connect: (door) => connectV2(door, "modern", "auto"),
};
export const sdkV2Pinned: ClientKind = {
  client: "SDK 2.4, 2026-07-28 only",
  era: "modern",
  connect: (door) => connectV2(door, "modern", { pin: "2026-07-28" }),
};
export const mcpRemote: ClientKind = {
  client: "mcp-remote",
  era: "legacy",
  connect: (door) => connectV1(remote(door)),
};

export const clientKinds: readonly ClientKind[] = [sdkV1, sdkV2, sdkV2Auto, sdkV2Pinned, mcpRemote];
