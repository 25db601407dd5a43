/** Programs that print the address for the browser and wait for its answer themselves: mcp-remote and the Inspector's command line. */
import { spawn } from "node:child_process";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { bareEnvironment } from "../../../scripts/lib/child.ts";
import { bin } from "../../../scripts/lib/root.ts";

/** The first address of the authorization endpoint in what a program prints. */
const printedAddress = /(https?:\/\/[\x21-\x7e]+\/oauth\/authorize\?[\x21-\x7e]+)[^\x21-\x7e]/;

type Go = (url: URL) => Promise<unknown>;

/** Takes the person to the address as soon as it is printed, once. @returns what takes the text, and the end of the journey */
function watcher(go: Go): { take(text: string): void; journey(): Promise<unknown> } {
  let text = "";
  let journey: Promise<unknown> | undefined;
  return {
    take(part) {
      text += part;
      const address = printedAddress.exec(text)?.[1];
      if (address === undefined || journey !== undefined) return;
      journey = go(new URL(address));
      // Told by whoever asks for the journey.
      journey.catch(() => undefined);
    },
    journey: () => journey ?? Promise.reject(new Error(`No address was printed:\n${text}`)),
  };
}

/** A client of 2025 before mcp-remote. @param directory for what it keeps */
export async function connectRemote(url: URL, directory: string, go: Go): Promise<Client> {
  const watched = watcher(go);
  const transport = new StdioClientTransport({
    command: bin("node"),
    args: [bin("mcp-remote"), url.href, "--allow-http", "--auth-timeout", "60"],
    // Nothing here opens a browser.
    env: { HOME: directory, PATH: "/nonexistent", MCP_REMOTE_CONFIG_DIR: directory },
    stderr: "pipe",
  });
  transport.stderr?.on("data", (part: Buffer) => watched.take(part.toString("utf8")));
  const client = new Client({ name: "people-test", version: "1.0.0" });
  await client.connect(transport);
  await watched.journey();
  return client;
}

export interface Inspected {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param directory its home; tokens stay there from run to run. @param go undefined where nobody must be asked */
export async function runInspector(
  url: URL,
  directory: string,
  callback: string,
  args: readonly string[],
  go: Go | undefined,
): Promise<Inspected> {
  const watched = watcher(go ?? (() => Promise.reject(new Error("It asked for a sign-in."))));
  const child = spawn(
    bin("node"),
    [
      ...[bin("mcp-inspector"), "--cli", url.href, "--transport", "http", "--callback-url", callback, "-q"],
      ...(go === undefined ? ["--stored-auth-only"] : []),
      ...args,
    ],
    {
      env: bareEnvironment({
        ...{ HOME: directory, MCP_STORAGE_DIR: directory, MCP_INSPECTOR_SECRET_STORE: "file" },
        // Lets it ask without a terminal; there is no browser that it could open.
        ...{ MCP_AUTO_OPEN_ENABLED: "true", PATH: "/nonexistent" },
      }),
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (part: string) => (stdout += part));
  child.stderr.setEncoding("utf8").on("data", (part: string) => {
    stderr += part;
    watched.take(part);
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  if (go !== undefined) await watched.journey();
  return { code, stdout, stderr };
}
