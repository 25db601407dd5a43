/** `npm start` without npm, which reports signals as its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { at, bin } from "../../../scripts/lib/root.ts";

export interface Started {
  /** What it printed until everything answered. */
  readonly text: string;
  /** Ends it as Ctrl-C does. @returns its exit code */
  stop(): Promise<number | null>;
}

/** @throws when it ends before everything answers */
export async function start(port: number, args: readonly string[] = []): Promise<Started> {
  const child = spawn(bin("node"), [at("scripts", "start.ts"), ...args], {
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
