/** An MCP server behind a guard: every request without the right credential is refused as its kind of server does it. */
import * as z from "zod";
import { serve } from "../../../scripts/lib/serve.ts";
import { createForge, type Forge } from "./forge.ts";
import { metadataPath, type Guard } from "./guards.ts";

export interface Seen {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Headers;
  /** JSON-RPC method. */
  readonly rpc: string | undefined;
  readonly status: number;
  /** Undefined where it was refused. */
  readonly subject: string | undefined;
}

export interface ProtectedServerOptions {
  readonly guard: Guard;
  /** The address of the MCP server behind it; the forge without it. */
  readonly behind?: URL;
  /** The issuer that the metadata of RFC 9728 names; no metadata without it. */
  readonly issuer?: string;
  readonly scopes_supported?: readonly string[];
}

export interface ProtectedServer {
  /** Its MCP endpoint. */
  readonly url: URL;
  /** Requests to the MCP endpoint, in order of their answers. */
  readonly seen: readonly Seen[];
  readonly forge: Forge;
  /** From now on. */
  guardBy(guard: Guard): void;
  /** In its metadata, from now on. */
  nameIssuer(issuer: string): void;
  /** Forgets what was seen. */
  clear(): void;
  close(): Promise<void>;
}

const path = "/mcp";

const rpcSchema = z.looseObject({
  method: z.string().optional(),
  params: z.looseObject({ name: z.string().optional() }).optional(),
});

async function rpcOf(request: Request): Promise<z.output<typeof rpcSchema>> {
  if (request.method !== "POST") return {};
  const parsed = rpcSchema.safeParse(await request.clone().json());
  return parsed.success ? parsed.data : {};
}

/** Of one hop, or of an encoding that `fetch` has undone. */
const hopHeaders = ["connection", "transfer-encoding", "content-encoding", "content-length", "host", "keep-alive"];

const without = (headers: Headers, names: readonly string[]): Headers => {
  const kept = new Headers(headers);
  for (const name of names) kept.delete(name);
  return kept;
};

/** Passes the request on as it is, but for what authenticated it. */
async function passOn(request: Request, behind: URL): Promise<Response> {
  const answer = await fetch(behind, {
    method: request.method,
    headers: without(request.headers, [...hopHeaders, "authorization"]),
    signal: request.signal,
    ...(request.method === "POST" ? { body: await request.arrayBuffer() } : {}),
  });
  return new Response(answer.body, { status: answer.status, headers: without(answer.headers, hopHeaders) });
}

export async function startProtectedServer(options: ProtectedServerOptions): Promise<ProtectedServer> {
  const forge = createForge();
  const seen: Seen[] = [];
  let { guard, issuer } = options;

  async function answer(request: Request, url: URL): Promise<Response> {
    const rpc = await rpcOf(request);
    const tool = rpc.method === "tools/call" ? rpc.params?.name : undefined;
    const { pathname, search } = new URL(request.url);
    const admitted = await guard({ request, url, tool });
    const note = (status: number, subject?: string): void =>
      void seen.push({
        ...{ method: request.method, target: pathname + search, headers: new Headers(request.headers) },
        ...{ rpc: rpc.method, status, subject },
      });
    if (admitted instanceof Response) {
      note(admitted.status);
      return admitted;
    }
    const { subject, scopes = [] } = admitted;
    const { behind } = options;
    const answered = await (behind === undefined ? forge.fetch(request, subject, scopes) : passOn(request, behind));
    note(answered.status, subject);
    return answered;
  }

  const served = await serve((request) => {
    const { pathname } = new URL(request.url);
    const url = new URL(path, served.url);
    if (pathname === path) return answer(request, url);
    if (pathname !== metadataPath || issuer === undefined) return new Response("Not found", { status: 404 });
    return Response.json({
      ...{ resource: url.href, authorization_servers: [issuer], bearer_methods_supported: ["header"] },
      ...(options.scopes_supported === undefined ? {} : { scopes_supported: options.scopes_supported }),
    });
  });
  return {
    url: new URL(path, served.url),
    ...{ seen, forge },
    guardBy(next) {
      guard = next;
    },
    nameIssuer(next) {
      issuer = next;
    },
    clear() {
      seen.length = 0;
    },
    async close() {
      await forge.close();
      await served.close();
    },
  };
}
