import { describe, expect, it } from "vitest";
import { env } from "cloudflare:workers";
import configuration from "../../../wrangler.toml?raw";
import { createApp } from "../../../src/app.ts";
import { createExecutionContext } from "cloudflare:test";
import { systemPorts } from "../../../src/system-ports.ts";

/** The value of a top-level key, as written. */
const valueOf = (key: string): string | undefined =>
  new RegExp(`^${key}\\s*=\\s*(.+)$`, "m").exec(configuration.split(/^\[/m)[0] ?? "")?.[1];

/** The blocks of an array of tables. */
const blocks = (name: string): string[] =>
  configuration.split(/^(?=\[)/m).filter((block) => block.startsWith(`[[${name}]]`));

describe("the deployment", () => {
  it.each(["workers_dev", "preview_urls"])("RS-21: %s is off", (key) => {
    expect(valueOf(key)).toBe("false");
  });

  it("RS-21: no environment switches them on again", () => {
    expect(configuration).not.toMatch(/(?:workers_dev|preview_urls)\s*=\s*true/);
  });

  it.each([
    "https://gatehouse.account.workers.dev",
    "https://1a2b3c-gatehouse.account.workers.dev",
    "https://gatehouse.pages.dev",
  ])("RS-21: %s has no tenant", async (origin) => {
    const app = createApp(systemPorts);
    for (const path of [
      "/mcp",
      "/mcp/up",
      "/api/v1/setup",
      "/api/v1/servers",
      "/.well-known/oauth-protected-resource",
    ]) {
      const response = await app.fetch(new Request(origin + path, { method: "POST" }), env, createExecutionContext());
      expect([path, response.status]).toEqual([path, 404]);
    }
  });

  it("R1: the deployed mode is enterprise", () => {
    expect(configuration).toMatch(/^GATEHOUSE_MODE\s*=\s*"enterprise"$/m);
  });

  it("R1: no secret is in the configuration", () => {
    expect(configuration).not.toMatch(/^\s*GATEHOUSE_(?:KEYS|SETUP_SECRET)\s*=/m);
  });

  it("AU-10: every Queue that is consumed has retries and leads its dead letters on", () => {
    const consumers = blocks("queues.consumers");
    const main = consumers.find((block) => /queue\s*=\s*"gatehouse-audit"/.test(block)) ?? "";
    expect(main).toMatch(/dead_letter_queue\s*=\s*"gatehouse-audit-dead"/);
    expect(main).toMatch(/max_retries\s*=\s*[1-9]/);
    expect(consumers.some((block) => /queue\s*=\s*"gatehouse-audit-dead"/.test(block))).toBe(true);
  });

  it("SS-12: requests to hosts of the own zone take the public way", () => {
    expect(configuration).toMatch(/"global_fetch_strictly_public"/);
  });
});
