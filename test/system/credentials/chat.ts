/** An application that talks to a person: where a server wants them to open an address, it shows the address and tries again afterwards. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport as TransportTypeV1 } from "@modelcontextprotocol/sdk/shared/transport.js";
import * as z from "zod";
import type { Site } from "../people/site.ts";

export interface Said {
  readonly text: string;
  readonly isError: boolean;
}

/** Opens an address for the person. */
export type Open = (url: URL) => Promise<unknown>;

export interface Chat {
  tools(): Promise<string[]>;
  call(name: string, input?: Readonly<Record<string, unknown>>): Promise<Said>;
  close(): Promise<void>;
}

export interface ChatKind {
  readonly name: string;
  /** How the address comes. */
  readonly form: "input_required" | "error -32042" | "link in the result";
  connect(site: Site, url: URL, token: string, open: Open): Promise<Chat>;
}

const info = { name: "chat", version: "1.0.0" };
const result = z.looseObject({
  content: z.array(z.looseObject({ text: z.string().default("") })),
  isError: z.boolean().default(false),
});

function said(site: Site, answer: unknown): Said {
  // Whatever a client is told, somebody sees.
  site.pages.push(JSON.stringify(answer));
  const { content, isError } = result.parse(answer);
  return { text: content.map(({ text }) => text).join("\n"), isError };
}

const initOf = (token: string) => ({
  requestInit: { headers: token === "" ? {} : { authorization: `Bearer ${token}` } },
});

/** Of the error that a client of 2025-11-25 gets. @see MCP 2025-11-25 elicitation, "URL Elicitation Required Error" */
const required = z.looseObject({
  code: z.literal(-32042),
  data: z.looseObject({ elicitations: z.array(z.looseObject({ mode: z.literal("url"), url: z.url() })).min(1) }),
});

type Call = (name: string, input: Record<string, unknown>) => Promise<unknown>;

/** Opens what the error names, then tries once more. */
const retrying =
  (site: Site, call: Call, open: Open): Chat["call"] =>
  async (name, input = {}) => {
    try {
      return said(site, await call(name, { ...input }));
    } catch (error) {
      const asked = required.safeParse(error);
      if (!asked.success) throw error;
      site.pages.push(JSON.stringify(asked.data));
      for (const { url } of asked.data.data.elicitations) await open(new URL(url));
      return said(site, await call(name, { ...input }));
    }
  };

/** In text, or in JSON that holds it. */
export const linkIn = /https?:\/\/[^\s"\\]+\/connect\/[^\s"\\]+/;

/** For an application that knows nothing of elicitation: the person reads the link. */
const reading =
  (site: Site, call: Call, open: Open): Chat["call"] =>
  async (name, input = {}) => {
    const first = said(site, await call(name, { ...input }));
    const link = linkIn.exec(first.text)?.[0];
    if (link === undefined) return first;
    await open(new URL(link));
    return said(site, await call(name, { ...input }));
  };

function sdkV2(name: string, form: ChatKind["form"], mode: "legacy" | { readonly pin: string }): ChatKind {
  return {
    ...{ name, form },
    async connect(site, url, token, open) {
      const capabilities = form === "link in the result" ? {} : { elicitation: { url: {} } };
      const client = new Client(info, { capabilities, versionNegotiation: { mode } });
      if (form === "input_required") {
        client.setRequestHandler("elicitation/create", async ({ params }) => {
          site.pages.push(JSON.stringify(params));
          if (params.mode !== "url") return { action: "decline" as const };
          await open(new URL(params.url));
          return { action: "accept" as const };
        });
      }
      await client.connect(new StreamableHTTPClientTransport(url, initOf(token)));
      const call: Call = (tool, input) => client.callTool({ name: tool, arguments: input });
      return {
        tools: async () => (await client.listTools()).tools.map((tool) => tool.name).sort(),
        call: form === "link in the result" ? reading(site, call, open) : retrying(site, call, open),
        close: () => client.close(),
      };
    },
  };
}

function sdkV1(name: string, form: ChatKind["form"]): ChatKind {
  return {
    ...{ name, form },
    async connect(site, url, token, open) {
      const capabilities = form === "link in the result" ? {} : { elicitation: { url: {} } };
      const client = new ClientV1(info, { capabilities });
      await client.connect(new TransportV1(url, initOf(token)) as TransportTypeV1);
      const call: Call = (tool, input) => client.callTool({ name: tool, arguments: input });
      return {
        tools: async () => (await client.listTools()).tools.map((tool) => tool.name).sort(),
        call: form === "link in the result" ? reading(site, call, open) : retrying(site, call, open),
        close: () => client.close(),
      };
    },
  };
}

export const modernChat = sdkV2("SDK 2.4 of 2026-07-28", "input_required", { pin: "2026-07-28" });
export const legacyChat = sdkV2("SDK 2.4 of 2025-11-25", "error -32042", "legacy");
export const v1Chat = sdkV1("SDK 1.32", "error -32042");
export const plainModernChat = sdkV2("SDK 2.4 without elicitation", "link in the result", { pin: "2026-07-28" });
export const plainChat = sdkV1("SDK 1.32 without elicitation", "link in the result");

export const chatKinds: readonly ChatKind[] = [modernChat, legacyChat, v1Chat, plainModernChat, plainChat];
