/**
 * Gatehouse in a process group of its own, for tests that end it as a failing machine does: at once, in the middle of anything. Started as
 * a program, this file is that process.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { createApi, issueClientToken } from "../../../scripts/lib/admin-api.ts";
import { startGatehouse, type Gatehouse, type GatehouseOptions } from "./gatehouse.ts";

const file = fileURLToPath(import.meta.url);

const started = z.object({
  kind: z.literal("started"),
  ...{ url: z.url(), adminToken: z.string(), setupSecret: z.string(), keys: z.string() },
});
const told = z.discriminatedUnion("kind", [started, z.object({ kind: z.literal("log"), line: z.string() })]);

export interface GatehouseProcess extends Omit<Gatehouse, "runtime"> {
  /** SIGKILL to the whole group: nothing is written any more. */
  kill(): Promise<void>;
}

/** @throws when it ends before it answers */
export async function startGatehouseProcess(options: GatehouseOptions): Promise<GatehouseProcess> {
  const child = fork(file, [], { detached: true, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const logs: string[] = [];
  const gone = once(child, "exit");
  const { url, ...secrets } = await new Promise<z.output<typeof started>>((resolve, reject) => {
    child.on("message", (message) => {
      const read = told.parse(message);
      if (read.kind === "log") logs.push(read.line);
      else resolve(read);
    });
    child.once("exit", (code) => reject(new Error(`Gatehouse ended with ${code}.`)));
    child.send(options);
  });
  const at = new URL(url);
  const api = createApi(at, secrets.adminToken);
  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    process.kill(-child.pid, "SIGKILL");
    await gone;
  }
  return {
    ...{ url: at, ...secrets, api, logs, kill },
    issueClientToken: (servers, name) => issueClientToken(api, servers, name),
    dispose: kill,
  };
}

if (process.argv[1] === file) {
  process.once("disconnect", () => process.exit(1));
  process.once("message", (options: GatehouseOptions) => {
    void (async () => {
      const { url, adminToken, setupSecret, keys, logs } = await startGatehouse(options);
      process.send?.({ kind: "started", url: url.href, adminToken, setupSecret, keys });
      let sent = 0;
      setInterval(() => {
        for (const line of logs.slice(sent)) process.send?.({ kind: "log", line });
        sent = logs.length;
      }, 100);
    })();
  });
}
