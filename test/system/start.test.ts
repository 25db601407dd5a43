import { rmSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { run } from "../../scripts/lib/child.ts";
import { freePort } from "../../scripts/lib/network.ts";
import { at, bin } from "../../scripts/lib/root.ts";
import { start } from "./support/started.ts";

let state: string | undefined;
afterEach(() => {
  if (state !== undefined) rmSync(state, { recursive: true, force: true });
});

describe("npm start", () => {
  it("R5: runs in development mode, prints a first call that works, and stops with all that it started", async () => {
    const port = await freePort();
    state = at(".gatehouse", String(port));
    const { text, stop } = await start(port);
    expect(text).toContain(`http://localhost:${port}/mcp`);
    expect(text).toContain('"mcpServers"');
    const command = /^curl [\s\S]*?'\n/m.exec(text)?.[0] ?? "";
    const first = await run("bash", ["-c", command]);
    expect(JSON.parse(first.stdout)).toMatchObject({ result: { structuredContent: { sum: 5 } } });

    expect(await stop()).toBe(0);
    await expect(fetch(`http://localhost:${port}/healthz`)).rejects.toThrow();
  });

  it.each([[["--production"]], [["--enterprise", "--quick"]]])("R5: says what it does not know of %j", async (args) => {
    const refused = await run(bin("node"), [at("scripts", "start.ts"), ...args]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(args.at(-1) ?? "") });
  });
});
