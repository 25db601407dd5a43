/** What can go wrong between a client and a server that works: refusals, silence, and cut connections, before or after the work is done. */
import type { IncomingMessage, ServerResponse } from "node:http";

export type Fault =
  /** Answered so, and nothing is done. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: object;
    }
  /** The answer goes out as it is; this only tells when. */
  | { readonly kind: "none"; readonly when: "after" }
  /** No answer. `after`: all is done, and the answer is ready. */
  | { readonly kind: "silence" | "cut"; readonly when: "before" | "after" };

/** A fault that waits for its request. */
export interface Armed {
  /** Settles as the fault happens: for `after`, once everything is done on the server's side. */
  readonly happened: Promise<void>;
}

interface Waiting {
  readonly path: string;
  readonly fault: Fault;
  readonly tell: () => void;
}

export interface Faults {
  /** For the next request to this path, and no other. */
  arm(path: string, fault: Fault): Armed;
  /** Takes away what no request came for. */
  disarm(): void;
  /** Applies what is armed. @returns false where the request goes on, perhaps with an answer that will not arrive */
  takes(request: IncomingMessage, response: ServerResponse): boolean;
}

export function createFaults(): Faults {
  const waiting: Waiting[] = [];

  function strike(fault: Fault, response: ServerResponse): void {
    if (fault.kind === "cut") response.socket?.resetAndDestroy();
    else if (fault.kind === "answer") {
      response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
      response.end(JSON.stringify(fault.body ?? {}));
    }
  }

  return {
    arm(path, fault) {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push({ path, fault, tell: resolve });
      return { happened: promise };
    },
    disarm() {
      waiting.length = 0;
    },
    takes({ url = "" }, response) {
      const path = url.split("?", 1)[0];
      const at = waiting.findIndex((one) => one.path === path);
      const [armed] = at < 0 ? [] : waiting.splice(at, 1);
      if (armed === undefined) return false;
      const { fault, tell } = armed;
      if (fault.kind === "answer" || fault.when === "before") {
        strike(fault, response);
        tell();
        return true;
      }
      if (fault.kind === "none") response.once("finish", tell);
      else {
        // The answer is made, and goes nowhere.
        response.end = function struck(this: ServerResponse) {
          strike(fault, response);
          tell();
          return this;
        };
      }
      return false;
    },
  };
}
