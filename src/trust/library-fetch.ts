/** The guarded way out in the form in which the OAuth libraries want it. */
import type { SafeFetch } from "../egress/index.ts";
import type { Failure } from "../errors.ts";
import { implementation } from "../platform.ts";

/** What the libraries hand to their `customFetch`, as far as it matters here. */
interface LibraryRequest {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: unknown;
}

export interface LibraryFetch {
  /** Rejects when there is no answer; why is what `failure` tells. */
  fetch(url: string, request: LibraryRequest): Promise<Response>;
  /** What went wrong on the network, if that was it. */
  failure(): Failure | undefined;
}

export interface LibraryBounds {
  /** Until the whole answer is there. */
  readonly answer_ms: number;
  /** Decoded. */
  readonly answer_bytes: number;
}

/** The only headers of an answer that anybody reads. */
const readable = ["content-type", "retry-after"] as const;

/** Statuses whose answers have no body (Fetch standard, "null body status"). */
const bodiless: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * For one exchange with a token endpoint or the like. Which addresses may be called, and whether without TLS, is decided in `egress/`,
 * as for every other request: the library's own rule of https is opened. Codes, secrets and tokens follow no redirect.
 */
export function createLibraryFetch(fetch: SafeFetch, { answer_ms, answer_bytes }: LibraryBounds): LibraryFetch {
  let failed: Failure | undefined;
  const fail = (failure: Failure): Error => {
    failed = failure;
    return new Error("There is no answer.");
  };
  return {
    failure: () => failed,
    async fetch(url, { method, headers, body }) {
      const wire = new Headers(headers);
      wire.set("user-agent", `Gatehouse/${implementation.version}`);
      const answer = await fetch({
        url,
        method: method === "POST" ? "POST" : "GET",
        headers: wire,
        ...(body === undefined || body === null ? {} : { body: String(body) }),
        redirects: "refuse",
        idle_ms: answer_ms,
        total_ms: answer_ms,
        body_bytes: answer_bytes,
        stream_bytes: answer_bytes,
      });
      if (!answer.ok) throw fail(answer.error);
      const text = await answer.value.text();
      if (!text.ok) throw fail(text.error);
      const { status } = answer.value;
      const shown = new Headers();
      for (const name of readable) {
        const value = answer.value.headers.get(name);
        if (value !== null) shown.set(name, value);
      }
      return new Response(bodiless.has(status) ? null : text.value, { status, headers: shown });
    },
  };
}
