/** What an application holds after a person allowed it something, without an SDK between: for tests of how that ends. */
import { createHash, randomBytes } from "node:crypto";
import type { BrowserContext } from "../../../scripts/lib/browser.ts";
import { decodeJwt } from "jose";
import * as z from "zod";
import { callModern, modernRequest, type ModernAnswer } from "../support/modern-request.ts";
import type { Site } from "./site.ts";
import { travel, type Choices, type Journey } from "./travel.ts";

const tokensSchema = z.object({ access_token: z.string(), refresh_token: z.string(), scope: z.string() });
export type Tokens = z.output<typeof tokensSchema>;

export interface Held extends Tokens {
  readonly journey: Journey;
}

/** Registers an application. @returns its client id */
export async function registerApplication(site: Site, client_name: string, redirect_uri: string): Promise<string> {
  const metadata = { client_name, redirect_uris: [redirect_uri], token_endpoint_auth_method: "none" };
  const answer = await fetch(site.endpoint("/oauth/register"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(metadata),
  });
  return z.object({ client_id: z.string() }).parse(await answer.json()).client_id;
}

/** The grant behind an access token, as the token says. */
export const grantOf = (access_token: string): string =>
  z.object({ grant_id: z.string() }).parse(decodeJwt(access_token)).grant_id;

export interface Request {
  readonly url: URL;
  readonly verifier: string;
}

/** @param path of the endpoint that the token is for */
export function authorizationRequest(site: Site, client_id: string, redirect_uri: string, path = "/mcp"): Request {
  const verifier = randomBytes(32).toString("base64url");
  const url = site.endpoint("/oauth/authorize");
  url.search = new URLSearchParams({
    ...{ response_type: "code", client_id, redirect_uri, resource: site.origin + path, state: "state" },
    ...{ code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256" },
  }).toString();
  return { url, verifier };
}

/** The token endpoint. @returns status, and the tokens or the error code */
export async function askToken(
  site: Site,
  parameters: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly error?: string; readonly tokens?: Tokens }> {
  const answer = await fetch(site.endpoint("/oauth/token"), { method: "POST", body: new URLSearchParams(parameters) });
  const body: unknown = await answer.json();
  const tokens = tokensSchema.safeParse(body);
  if (!tokens.success) return { status: answer.status, ...z.object({ error: z.string() }).parse(body) };
  site.secrets.add(tokens.data.access_token).add(tokens.data.refresh_token);
  return { status: answer.status, tokens: tokens.data };
}

export const refresh = (site: Site, client_id: string, refresh_token: string) =>
  askToken(site, { grant_type: "refresh_token", client_id, refresh_token });

/** The whole way of one application and one person. */
export async function hold(
  site: Site,
  context: BrowserContext,
  client_id: string,
  choices: Choices,
  redirect_uri = site.callback,
  path?: string,
): Promise<Held> {
  const { url, verifier } = authorizationRequest(site, client_id, redirect_uri, path);
  const journey = await travel(site, context, url, choices);
  const code = journey.arrived.searchParams.get("code");
  if (code === null) throw new Error(`No code at ${journey.arrived.href}: ${journey.text}`);
  const parameters = { grant_type: "authorization_code", client_id, code, redirect_uri, code_verifier: verifier };
  const { tokens, ...refused } = await askToken(site, parameters);
  if (tokens === undefined) throw new Error(`No token: ${JSON.stringify(refused)}`);
  return { ...tokens, journey };
}

export const call = (site: Site, token: string, name: string, path = "/mcp"): Promise<ModernAnswer> =>
  callModern(site.endpoint(path), { method: "tools/call", params: { name, arguments: {} }, token });

export async function toolNames(site: Site, token: string, path = "/mcp"): Promise<string[]> {
  const names: string[] = [];
  let cursor: string | undefined;
  do {
    const params = cursor === undefined ? {} : { cursor };
    const { message } = await callModern(site.endpoint(path), { method: "tools/list", params, token });
    const page = z.looseObject({
      tools: z.array(z.looseObject({ name: z.string() })),
      nextCursor: z.string().optional(),
    });
    const read = page.parse(message?.result);
    names.push(...read.tools.map(({ name }) => name));
    cursor = read.nextCursor;
  } while (cursor !== undefined);
  return names.sort();
}

export interface Stream {
  /** Milliseconds since the start of the clock when it ended. */
  readonly ended: Promise<number>;
}

async function streamOf(answer: Response): Promise<Stream> {
  const reader = answer.body?.getReader();
  if (answer.status !== 200 || reader === undefined) throw new Error(`No stream: HTTP ${answer.status}`);
  async function drain(from: ReadableStreamDefaultReader<Uint8Array>): Promise<number> {
    while (!(await from.read()).done);
    return performance.now();
  }
  const ended = drain(reader);
  // Told to whoever waits for it; a test that failed before does not.
  ended.catch(() => undefined);
  return { ended };
}

/** An open stream of changes, as clients of 2026-07-28 have it. */
export async function openListening(site: Site, token: string): Promise<Stream> {
  const params = { notifications: { toolsListChanged: true } };
  const { headers, body } = modernRequest({ method: "subscriptions/listen", params, token, id: "stream" });
  return streamOf(await fetch(site.endpoint("/mcp"), { method: "POST", headers, body }));
}

/** The open stream of a session, as clients of 2025 have it. */
export async function openSession(site: Site, token: string): Promise<Stream> {
  const version = "2025-11-25";
  const send = (headers: Readonly<Record<string, string>>, message?: object): Promise<Response> =>
    fetch(site.endpoint("/mcp"), {
      method: message === undefined ? "GET" : "POST",
      headers: { authorization: `Bearer ${token}`, accept: "application/json, text/event-stream", ...headers },
      ...(message === undefined ? {} : { body: JSON.stringify({ jsonrpc: "2.0", ...message }) }),
    });
  const json = { "content-type": "application/json" };
  const params = { protocolVersion: version, capabilities: {}, clientInfo: { name: "raw", version: "1.0.0" } };
  const opened = await send(json, { id: 0, method: "initialize", params });
  await opened.text();
  const session = {
    "mcp-session-id": opened.headers.get("mcp-session-id") ?? "",
    "mcp-protocol-version": version,
  };
  await (await send({ ...json, ...session }, { method: "notifications/initialized" })).text();
  return streamOf(await send(session));
}
