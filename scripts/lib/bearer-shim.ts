/**
 * A transparent proxy on loopback that adds a bearer token, for clients that cannot send one (the conformance suite has no
 * option for it). Bytes stream both ways; when one side closes early, so does the other.
 */
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { Served } from "./serve.ts";

const isLoopback = /^(?:localhost|127\.0\.0\.1|\[::1\])$/i;

/**
 * The port of the shim becomes the port of the target where the name is this machine's; every other value passes as it is,
 * so that the target itself judges foreign hosts and origins.
 */
function withPort(authority: string, port: string): string {
  const [, name = authority] = /^(\[[^\]]*\]|[^:]*)(?::\d+)?$/.exec(authority) ?? [];
  return isLoopback.test(name) ? `${name}:${port}` : authority;
}

function translate(rawHeaders: readonly string[], port: string, token: string): string[] {
  const headers: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    const value = rawHeaders[at + 1] ?? "";
    const lower = name.toLowerCase();
    if (lower === "authorization") continue;
    const scheme = "http://";
    const isOrigin = lower === "origin" && value.startsWith(scheme);
    if (lower === "host") headers.push(name, withPort(value, port));
    else if (isOrigin) headers.push(name, scheme + withPort(value.slice(scheme.length), port));
    else headers.push(name, value);
  }
  return [...headers, "Authorization", `Bearer ${token}`];
}

function forward(target: URL, token: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const upstream = httpRequest({
    host: "127.0.0.1",
    port: target.port,
    method: incoming.method,
    path: incoming.url,
    headers: translate(incoming.rawHeaders, target.port, token),
    setHost: false,
    agent: false,
  });
  upstream.once("response", (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    outgoing.flushHeaders();
    answer.pipe(outgoing);
    answer.once("error", () => outgoing.destroy());
  });
  upstream.once("error", () => {
    if (outgoing.headersSent) outgoing.destroy();
    else outgoing.writeHead(502).end();
  });
  outgoing.once("close", () => upstream.destroy());
  incoming.once("error", () => upstream.destroy());
  incoming.pipe(upstream);
}

/** Starts the shim in front of `target`; it answers at the same paths on a port of its own. */
export async function startBearerShim(target: URL, token: string): Promise<Served> {
  const server = createServer((incoming, outgoing) => forward(target, token, incoming, outgoing));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: new URL(`http://localhost:${port}`),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
