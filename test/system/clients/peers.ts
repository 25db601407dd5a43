/** The two official peers of each kind: Gatehouse in front of a 2025 server and of a modern one, and real clients before it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { bin } from "../../../scripts/lib/root.ts";
import { startDemo, startEverything } from "../../../scripts/lib/upstreams.ts";
import { startGatehouse, type Gatehouse } from "../support/gatehouse.ts";

export interface Site {
  readonly gatehouse: Gatehouse;
  /** Empty in development mode. */
  readonly token: string;
  stop(): Promise<void>;
}

export async function startSite(mode: "development" | "enterprise"): Promise<Site> {
  const [everything, demo] = await Promise.all([startEverything(), startDemo()]);
  const gatehouse = await startGatehouse({
    mode,
    vars: { GATEHOUSE_EGRESS_ORIGINS: `${everything.url.origin} ${demo.url.origin}` },
  });
  await gatehouse.api("POST", "/servers", { slug: "everything", url: everything.url.href });
  await gatehouse.api("POST", "/servers", { slug: "demo", url: demo.url.href });
  const token = mode === "enterprise" ? (await gatehouse.issueClientToken(["everything", "demo"])).token : "";
  return {
    gatehouse,
    token,
    async stop() {
      await gatehouse.dispose();
      await Promise.all([everything.stop(), demo.stop()]);
    },
  };
}

/** An SDK v2 client, connected. */
export async function connect(site: Site, path: string, mode: "auto" | { pin: string }): Promise<Client> {
  const client = new Client(
    { name: "system-test", version: "1.0.0" },
    { versionNegotiation: { mode }, capabilities: { elicitation: { form: {} } } },
  );
  client.setRequestHandler("elicitation/create", async () => ({ action: "accept", content: { people: 4 } }));
  const headers = site.token === "" ? {} : { authorization: `Bearer ${site.token}` };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(path, site.gatehouse.url), { requestInit: { headers } }),
  );
  return client;
}

const run = promisify(execFile);

/** The Inspector's command line. @returns what it printed, parsed */
export async function inspect(
  site: Site,
  path: string,
  era: "modern" | "auto",
  args: readonly string[],
): Promise<unknown> {
  const { stdout } = await run(
    bin("node"),
    [
      bin("mcp-inspector"),
      ...["--cli", new URL(path, site.gatehouse.url).href, "--transport", "http", "--protocol-era", era, "-q"],
      ...(site.token === "" ? [] : ["--header", `Authorization: Bearer ${site.token}`]),
      ...args,
    ],
    { timeout: 30_000, maxBuffer: 8 * 1024 * 1024 },
  );
  return JSON.parse(stdout);
}
