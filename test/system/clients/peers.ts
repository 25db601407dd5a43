/** Gatehouse before servers of both eras at once, and the Inspector's command line before it. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { registerServer } from "../../../scripts/lib/admin-api.ts";
import { bin } from "../../../scripts/lib/root.ts";
import { startDemo } from "../../../scripts/lib/upstreams.ts";
import { startEverything } from "../support/everything.ts";
import { startFixture } from "../support/fixture-server.ts";
import { startGatehouse, type Gatehouse } from "../support/gatehouse.ts";
import type { ClientKind, Door, Peer } from "./sdk-clients.ts";

export interface Site {
  readonly gatehouse: Gatehouse;
  /** Empty in development mode. */
  readonly token: string;
  door(path: string): Door;
  stop(): Promise<void>;
}

/** The everything server (2025-11-25), the demo server (2026-07-28) and the fixture as each of the two, all registered. */
export async function startSite(mode: "development" | "enterprise"): Promise<Site> {
  const scratch = await mkdtemp(join(tmpdir(), "gatehouse-clients-"));
  const [everything, demo, modern, legacy] = await Promise.all([
    startEverything(),
    startDemo(),
    startFixture({ eras: "modern" }),
    startFixture({ eras: "legacy" }),
  ]);
  const servers = Object.entries({ everything, demo, modern, legacy }).map(([slug, { url }]) => [slug, url] as const);
  const gatehouse = await startGatehouse({
    mode,
    vars: { GATEHOUSE_EGRESS_ORIGINS: servers.map(([, { origin }]) => origin).join(" ") },
  });
  for (const [slug, { href }] of servers) await registerServer(gatehouse.api, { slug, url: href });
  const slugs = servers.map(([slug]) => slug);
  const token = mode === "enterprise" ? (await gatehouse.issueClientToken(slugs)).token : "";
  return {
    ...{ gatehouse, token },
    door: (path) => ({ url: new URL(path, gatehouse.url), token, scratch }),
    async stop() {
      await gatehouse.dispose();
      await Promise.all([everything.stop(), demo.stop(), modern.close(), legacy.close()]);
      await rm(scratch, { recursive: true });
    },
  };
}

/** Connects, uses and closes. */
export async function withPeer<T>(kind: ClientKind, door: Door, use: (peer: Peer) => Promise<T>): Promise<T> {
  const peer = await kind.connect(door);
  try {
    return await use(peer);
  } finally {
    await peer.client.close();
  }
}

const run = promisify(execFile);

/** The Inspector's command line. @returns what it printed, parsed */
export async function inspect(
  site: Site,
  path: string,
  era: "modern" | "legacy" | "auto",
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
