/** The two servers that stand behind Gatehouse on this machine. */
import { bareEnvironment, startPart, type Part } from "./child.ts";
import { answers, freePort } from "./network.ts";
import { at, bin } from "./root.ts";

export interface LocalServer {
  readonly url: URL;
  readonly part: Part;
  stop(): Promise<void>;
}

const start_ms = 60_000;

async function startLocal(name: string, args: readonly string[]): Promise<LocalServer> {
  const port = await freePort();
  const part = startPart(name, bin("node"), args, bareEnvironment({ PORT: String(port) }));
  const url = new URL(`http://127.0.0.1:${port}/mcp`);
  if (await answers(url, start_ms, part.ended)) return { url, part, stop: () => part.stop() };
  await part.stop();
  throw new Error(`The server ${name} did not start:\n${part.tail()}`);
}

/** The official "everything" server: revision 2025-11-25, with sessions. */
export const startEverything = (): Promise<LocalServer> =>
  startLocal("everything", [
    "--import",
    at("scripts", "lib", "loopback-only.ts"),
    at("node_modules", "@modelcontextprotocol", "server-everything", "dist", "index.js"),
    "streamableHttp",
  ]);

/** The demo server of this repository: revision 2026-07-28. */
export const startDemo = (): Promise<LocalServer> => startLocal("demo", [at("examples", "demo-server", "server.ts")]);
