/** What is stored of an owner, as it is parsed when it is read. It crosses between objects and isolates as JSON text. */
import * as z from "zod";
import type { JsonObject } from "../ports.ts";
import { isObject } from "../protocol/index.ts";
import type { Facts, UpstreamSession } from "./types.ts";

/** Out of `JSON.parse`, so it is JSON. A record schema would drop a member named `__proto__`. */
export const jsonObject = z.custom<JsonObject>(isObject);

const upstreamSession = z.strictObject({
  server_id: z.string(),
  revision: z.int(),
  id: z.string().nullable(),
  version: z.string(),
  capabilities: jsonObject,
  instructions: z.string().nullable(),
  diverged: z.boolean(),
});

const facts = z.strictObject({
  ended: z.boolean(),
  log_level: z.string().nullable(),
  subscriptions: z.array(z.strictObject({ server_id: z.string(), uri: z.string() })),
  upstreams: z.array(upstreamSession),
});

/** JSON has no `undefined`: what a server does not have is null. */
export function encodeUpstream(session: UpstreamSession): string {
  const { server_id, revision, id, version, capabilities, instructions, diverged } = session;
  const stored: z.input<typeof upstreamSession> = {
    server_id,
    revision,
    id: id ?? null,
    version,
    capabilities,
    instructions: instructions ?? null,
    diverged,
  };
  return JSON.stringify(stored);
}

/** @throws where the text is not what `OwnerRows` writes: a bug */
export function decodeFacts(text: string): Facts {
  const { ended, log_level, subscriptions, upstreams } = facts.parse(JSON.parse(text));
  return {
    ended,
    log_level: log_level ?? undefined,
    subscriptions,
    upstreams: upstreams.map(({ id, instructions, ...session }) => ({
      ...session,
      id: id ?? undefined,
      instructions: instructions ?? undefined,
    })),
  };
}

export const noFacts: Facts = { ended: false, log_level: undefined, subscriptions: [], upstreams: [] };
