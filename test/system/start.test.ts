import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { freePort } from "../../scripts/lib/network.ts";
import { at, bin } from "../../scripts/lib/root.ts";
import { run } from "../../scripts/lib/child.ts";

let state: string | undefined;
afterEach(() => {
  if (state !== undefined) rmSync(state, { recursive: true, force: true });
});

/** `npm start` without npm, which reports signals as its own. */
async function start(port: number): Promise<{ text: string; stop(): Promise<number | null> }> {
  state = at(".gatehouse", String(port));
  const child = spawn(bin("node"), [at("scripts", "start.ts")], {
    cwd: at(),
    env: { ...process.env, PORT: String(port) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  await new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      if (text.includes("Ctrl-C")) resolve();
    });
    child.once("exit", (code) => reject(new Error(`npm start ended with ${code}: ${text}`)));
  });
  return {
    text,
    async stop() {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      const [code] = (await ended) as [number | null];
      return code;
    },
  };
}

describe("npm start", () => {
  it("R5: runs in development mode, prints a first call that works, and stops with all that it started", async () => {
    const port = await freePort();
    const { text, stop } = await start(port);
    expect(text).toContain(`http://localhost:${port}/mcp`);
    expect(text).toContain('"mcpServers"');
    const command = /^curl [\s\S]*?'\n/m.exec(text)?.[0] ?? "";
    const first = await run("bash", ["-c", command]);
    expect(JSON.parse(first.stdout)).toMatchObject({ result: { structuredContent: { sum: 5 } } });

    expect(await stop()).toBe(0);
    await expect(fetch(`http://localhost:${port}/healthz`)).rejects.toThrow();
  });

  it("R1: says what is missing for enterprise mode", async () => {
    const refused = await run(bin("node"), [at("scripts", "start.ts"), "--enterprise"]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("enterprise") });
  });
});
