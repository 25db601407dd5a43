/** Child processes with an owner: whoever starts one waits for its end, and nothing outlives the program. */
import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { root } from "./root.ts";

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The environment for tools: without telemetry, and without colour codes in what is parsed. */
export const toolEnvironment = (more: Record<string, string> = {}): NodeJS.ProcessEnv => ({
  ...process.env,
  WRANGLER_SEND_METRICS: "false",
  NO_COLOR: "1",
  ...more,
});

/** The environment for servers that others can look into: nothing of the shell that started us. */
export const bareEnvironment = (more: Record<string, string> = {}): NodeJS.ProcessEnv => ({
  ...(process.env["PATH"] === undefined ? {} : { PATH: process.env["PATH"] }),
  ...more,
});

interface RunOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** "show": the output goes to the terminal and is not returned. */
  readonly output?: "capture" | "show";
  /** Milliseconds after which the program is ended and counts as failed. */
  readonly timeout_ms?: number;
  /** Sees the captured standard output so far, each time that there is more of it. */
  readonly watch?: (stdout: string) => void;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGTERM");
});

/** Without a handler a signal ends Node at once, without the exit event, and the children stay. */
function endWithSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    if (process.listenerCount(signal) === 0) process.once(signal, () => process.exit(128 + constants.signals[signal]));
  }
}

function begin(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  endWithSignals();
  const child = spawn(command, args, { cwd: root, ...options });
  running.add(child);
  child.once("close", () => running.delete(child));
  return child;
}

/** Runs a program to its end. A program that cannot be started or that ran out of time has code 127 or 124. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const show = options.output === "show";
  const child = begin(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: toolEnvironment(options.env),
    stdio: show ? "inherit" : ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    options.watch?.(stdout);
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));

  let late = false;
  const timer =
    options.timeout_ms === undefined
      ? undefined
      : setTimeout(() => {
          late = true;
          child.kill("SIGKILL");
        }, options.timeout_ms);
  return await new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: 127, stdout, stderr: `${stderr}${error.message}\n` }));
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code: late ? 124 : (code ?? 1), stdout, stderr });
    });
  });
}

export interface Part {
  readonly name: string;
  readonly pid: number | undefined;
  /** The last lines that it wrote, to explain a failure. */
  tail(): string;
  /** Settles when the process has ended, for whatever reason. */
  readonly ended: Promise<number | null>;
  stop(): Promise<void>;
}

/** Starts a long-running program. Its output is kept (the last 4,000 characters), not shown. */
export function startPart(
  name: string,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = toolEnvironment(),
): Part {
  // Its own process group: a Ctrl-C in the terminal reaches us alone, and we stop the parts in order.
  const child = begin(command, args, { env, stdio: ["ignore", "pipe", "pipe"], detached: true });
  let text = "";
  const keep = (chunk: string): void => {
    text = (text + chunk).slice(-4000);
  };
  child.stdout?.setEncoding("utf8").on("data", keep);
  child.stderr?.setEncoding("utf8").on("data", keep);
  const ended = new Promise<number | null>((resolve) => {
    child.once("error", (error) => {
      keep(`${error.message}\n`);
      resolve(null);
    });
    child.once("exit", (code) => resolve(code));
  });
  return {
    name,
    pid: child.pid,
    tail: () => text,
    ended,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 2_000);
      await gone;
      clearTimeout(timer);
    },
  };
}
