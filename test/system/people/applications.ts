/** Applications that a person connects: the SDK's clients of both generations, each from its first try to a connection with a token. */
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import { UnauthorizedError as UnauthorizedErrorV1 } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport as TransportTypeV1 } from "@modelcontextprotocol/sdk/shared/transport.js";
import * as z from "zod";
import type { Memory } from "./oauth-client.ts";
import type { Journey } from "./travel.ts";

export interface Connected {
  /** Names of the tools. */
  tools(): Promise<string[]>;
  /** @returns the text of the answer */
  call(name: string): Promise<string>;
  close(): Promise<void>;
}

export interface Application {
  readonly name: string;
  /** @returns false when a person has to agree first; `memory.opened` then has the address */
  begin(url: URL, memory: Memory): Promise<boolean>;
  /** Redeems the answer of the authorization. */
  finish(url: URL, memory: Memory, arrived: URL): Promise<void>;
  connect(url: URL, memory: Memory): Promise<Connected>;
}

const info = { name: "people-test", version: "1.0.0" };
const answer = z.looseObject({ content: z.array(z.looseObject({ text: z.string() })) });
const textOf = (result: unknown): string =>
  answer
    .parse(result)
    .content.map(({ text }) => text)
    .join("");

async function refusedAs(kind: new () => Error, attempt: () => Promise<{ close(): Promise<void> }>): Promise<boolean> {
  try {
    await (await attempt()).close();
    return false;
  } catch (error) {
    if (error instanceof kind) return true;
    throw error;
  }
}

type Mode = "legacy" | "auto" | { readonly pin: string };

function sdkV2(name: string, mode: Mode): Application {
  const transport = (url: URL, memory: Memory) => new StreamableHTTPClientTransport(url, { authProvider: memory });
  async function open(url: URL, memory: Memory): Promise<Client> {
    const client = new Client(info, { versionNegotiation: { mode } });
    await client.connect(transport(url, memory));
    return client;
  }
  return {
    name,
    begin: async (url, memory) => !(await refusedAs(UnauthorizedError, () => open(url, memory))),
    finish: (url, memory, { searchParams }) => transport(url, memory).finishAuth(searchParams),
    async connect(url, memory) {
      const client = await open(url, memory);
      return {
        tools: async () => (await client.listTools()).tools.map((tool) => tool.name).sort(),
        call: async (tool) => textOf(await client.callTool({ name: tool, arguments: {} })),
        close: () => client.close(),
      };
    },
  };
}

export const sdkV1: Application = (() => {
  const transport = (url: URL, memory: Memory) => new TransportV1(url, { authProvider: memory });
  async function open(url: URL, memory: Memory): Promise<ClientV1> {
    const client = new ClientV1(info);
    await client.connect(transport(url, memory) as TransportTypeV1);
    return client;
  }
  return {
    name: "SDK 1.32",
    begin: async (url, memory) => !(await refusedAs(UnauthorizedErrorV1, () => open(url, memory))),
    finish: (url, memory, { searchParams }) => transport(url, memory).finishAuth(searchParams.get("code") ?? ""),
    async connect(url, memory) {
      const client = await open(url, memory);
      return {
        tools: async () => (await client.listTools()).tools.map((tool) => tool.name).sort(),
        call: async (tool) => textOf(await client.callTool({ name: tool, arguments: {} })),
        close: () => client.close(),
      };
    },
  };
})();

export const sdkV2Legacy = sdkV2("SDK 2.4 as of 2025", "legacy");
export const sdkV2Modern = sdkV2("SDK 2.4, 2026-07-28 only", { pin: "2026-07-28" });
export const sdkV2Auto = sdkV2("SDK 2.4, negotiating", "auto");

/**
 * The whole way: refused, sent to the browser, back with a code, connected.
 * @param go takes the person through the browser
 */
export async function signInTo(
  application: Application,
  url: URL,
  memory: Memory,
  go: (url: URL) => Promise<Journey>,
): Promise<Journey> {
  if (await application.begin(url, memory)) throw new Error("It had access already.");
  const opened = memory.opened.at(-1);
  if (opened === undefined) throw new Error("The application opened no address.");
  const journey = await go(opened);
  await application.finish(url, memory, journey.arrived);
  return journey;
}
