/** A part of the benchmark in a process of its own, so that its work does not count as the gateway's. One question at a time. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";

type Reply<A> = { readonly ok: true; readonly answer: A } | { readonly ok: false; readonly error: string };

export interface Peer<Q, A> {
  readonly pid: number;
  /** @throws with the peer's own words when it fails, ends or stays silent for `timeout_ms` */
  ask(question: Q, timeout_ms: number): Promise<A>;
  stop(): Promise<void>;
}

/** @param script TypeScript that calls `answerWith` */
export function startPeer<Q extends object, A>(script: URL): Peer<Q, A> {
  const child: ChildProcess = fork(script, { stdio: ["ignore", "inherit", "inherit", "ipc"], execArgv: [] });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  return {
    pid: child.pid ?? 0,
    async ask(question, timeout_ms) {
      const done = new AbortController();
      const signal = AbortSignal.any([done.signal, AbortSignal.timeout(timeout_ms)]);
      const replied = once(child, "message", { signal });
      const ended = once(child, "exit", { signal }).then(() => {
        throw new Error("A process of the benchmark has ended.");
      });
      child.send(question);
      try {
        const [reply] = (await Promise.race([replied, ended])) as [Reply<A>];
        if (!reply.ok) throw new Error(reply.error);
        return reply.answer;
      } finally {
        done.abort();
        await Promise.allSettled([replied, ended]);
      }
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      kill();
      await gone;
    },
  };
}

/** The other side: what the process does with a question. It ends with its parent. */
export function answerWith<Q, A>(work: (question: Q) => Promise<A>): void {
  process.on("disconnect", () => process.exit(0));
  process.on("message", (question: Q) => {
    void work(question).then(
      (answer) => process.send?.({ ok: true, answer } satisfies Reply<A>),
      (error: unknown) =>
        process.send?.({ ok: false, error: error instanceof Error ? error.message : String(error) } satisfies Reply<A>),
    );
  });
  // A Ctrl-C in the terminal reaches the whole group: the parent stops us when it is done.
  process.on("SIGINT", () => undefined);
}
