/** Bindings and a provider that fail at one chosen call, in a chosen way. */
import { env } from "cloudflare:workers";
import type { Renew } from "../../../src/connections/index.ts";

export const manners = [
  /** Nothing happened, and no answer comes: whoever asked died there. */
  "dies before",
  /** It happened, and no answer comes. */
  "dies after",
  "throws before",
  "throws after",
] as const;
export type Manner = (typeof manners)[number];

export class Faults {
  readonly #at: number;
  readonly #manner: Manner;
  /** Calls so far. */
  count = 0;
  /** Resolves when the fault has struck. */
  readonly struck: Promise<void>;
  #strike: () => void = () => undefined;

  /** @param at which call, from 1 on; 0 for none */
  constructor(at: number, manner: Manner) {
    this.#at = at;
    this.#manner = manner;
    this.struck = new Promise((resolve) => (this.#strike = resolve));
  }

  async #step<T>(run: () => Promise<T>): Promise<T> {
    this.count += 1;
    if (this.count !== this.#at) return run();
    if (this.#manner.endsWith("after")) await run();
    this.#strike();
    if (this.#manner.startsWith("throws")) throw new Error("a fault of the test");
    return new Promise<T>(() => undefined);
  }

  get dies(): boolean {
    return this.#manner.startsWith("dies");
  }

  renew(renew: Renew): Renew {
    return (held, stillHeld) => this.#step(() => renew(held, stillHeld));
  }

  /** The database and the objects of connections. */
  get bindings(): Pick<Env, "DB" | "CONNECTION"> {
    const CONNECTION = overMethods(env.CONNECTION, (name, call) => {
      if (name !== "getByName") return call;
      return (...given: unknown[]) => overMethods(call(...given) as object, (_method, ask) => this.#over(ask));
    });
    return { DB: this.#database(), CONNECTION };
  }

  #database(): D1Database {
    const originals = new WeakMap<object, object>();
    const statement = (original: object): object => {
      const wrapped = overMethods(original, (name, call) =>
        name === "bind" ? (...given: unknown[]) => statement(call(...given) as object) : this.#over(call),
      );
      originals.set(wrapped, original);
      return wrapped;
    };
    return overMethods(env.DB, (name, call) => {
      if (name === "prepare") return (...given: unknown[]) => statement(call(...given) as object);
      if (name !== "batch") return call;
      return this.#over((given) => call((given as object[]).map((one) => originals.get(one) ?? one)));
    });
  }

  #over(call: (...given: unknown[]) => unknown): (...given: unknown[]) => Promise<unknown> {
    return (...given) => this.#step(async () => call(...given));
  }
}

type Call = (...given: unknown[]) => unknown;

function overMethods<T extends object>(target: T, over: (name: string, call: Call) => Call): T {
  return new Proxy(target, {
    get(object, name) {
      const member: unknown = Reflect.get(object, name);
      if (typeof member !== "function" || typeof name !== "string") return member;
      return over(name, (...given) => Reflect.apply(member, object, given) as unknown);
    },
  });
}
