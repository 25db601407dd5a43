/** Documents over https on this machine: what clients and workload issuers publish. */
import { createServer } from "node:https";
import { trusted } from "./trusted.ts";

export interface SecureServer {
  readonly origin: string;
  /** Paths that were asked for, in order. */
  readonly asked: readonly string[];
  /** Publishes JSON. */
  publish(path: string, document: unknown): void;
  close(): Promise<void>;
}

export async function startSecureServer(): Promise<SecureServer> {
  const documents = new Map<string, string>();
  const asked: string[] = [];
  const server = createServer({ cert: trusted.certificate, key: trusted.key }, ({ url = "/" }, response) => {
    asked.push(url);
    const document = documents.get(url);
    response.writeHead(document === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(document ?? "{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    ...{ origin: `https://localhost:${port}`, asked },
    publish: (path, document) => void documents.set(path, JSON.stringify(document)),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
