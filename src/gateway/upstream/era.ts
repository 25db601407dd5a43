/**
 * Which era a server speaks, asked once for each server and credential. Only evidence is kept: what is inconclusive (401,
 * 403, 5xx, silence) is asked again at the next call. Verdicts live in memory and, for isolates that start cold, in KV.
 */
import * as z from "zod";
import { BoundedMap } from "../../bounded-map.ts";
import { failure, type Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { err, ok, type Result } from "../../ports.ts";
import { encodeRequest, isObject, MODERN_VERSION, type RpcError } from "../../protocol/index.ts";
import type { Target, UpstreamContext } from "./call.ts";
import { readDeclaration, type Declaration } from "./declaration.ts";
import { post } from "./http.ts";
import { legacySession } from "./legacy-session.ts";
import { readAnswer } from "./messages.ts";
import { ownMeta } from "./modern.ts";

const verdictSchema = z.object({
  era: z.enum(["modern", "legacy"]),
  /** What the server declares. For modern servers the whole result of `server/discover`. */
  capabilities: z.record(z.string(), z.json()),
  instructions: z.string().optional(),
  /** Milliseconds since the Unix epoch. */
  found_at: z.number(),
});

export type Verdict = z.infer<typeof verdictSchema>;

const verdicts = new BoundedMap<Verdict>(limits.eras_count);

/** Modern protocol errors: a server that answers with one of them speaks 2026-07-28, whatever the status. */
const modernErrors = new Set([-32020, -32021, -32022]);

/** The revision counts with every change of URL or credential, so the key holds both. */
const keyOf = (context: UpstreamContext, server: Target): string =>
  `era:${JSON.stringify([context.tenant.id, server.id, server.revision])}`;

/** @returns the verdict, or the failure that made the probe inconclusive */
export async function eraOf(context: UpstreamContext, server: Target): Promise<Result<Verdict, Failure>> {
  const key = keyOf(context, server);
  const now = context.platform.ports.clock.now();
  const fresh = (verdict: Verdict | undefined): verdict is Verdict =>
    verdict !== undefined && verdict.found_at <= now && now - verdict.found_at < limits.eraVerdict_ms;

  const known = verdicts.get(key);
  if (fresh(known)) return ok(known);
  const stored = await readStored(context, key);
  if (fresh(stored)) {
    verdicts.set(key, stored);
    return ok(stored);
  }
  const probed = await probe(context, server, now);
  if (!probed.ok) return probed;
  verdicts.set(key, probed.value);
  context.platform.waitUntil(store(context, key, probed.value));
  return probed;
}

export function forgetEra(context: UpstreamContext, server: Target): void {
  verdicts.delete(keyOf(context, server));
  context.platform.waitUntil(forgetStored(context, keyOf(context, server)));
}

async function probe(context: UpstreamContext, server: Target, found_at: number): Promise<Result<Verdict, Failure>> {
  const modern = await probeModern(context, server, found_at);
  if (!modern.ok || modern.value !== undefined) return modern as Result<Verdict, Failure>;
  // The handshake is the question; the session that it opens is the one that this principal's calls use.
  const session = await legacySession(context, server, limits.eraProbe_ms);
  if (!session.ok) return session;
  return ok({ era: "legacy", ...withInstructions(session.value), found_at });
}

/** A server that supports other revisions only says so with a modern error, and is not modern to us. */
function isModernError({ code, data }: RpcError): boolean {
  const supported = isObject(data) ? data["supported"] : undefined;
  return modernErrors.has(code) && (!Array.isArray(supported) || supported.includes(MODERN_VERSION));
}

/** @returns a modern verdict; undefined on evidence against it; a failure when nothing can be said */
async function probeModern(
  context: UpstreamContext,
  server: Target,
  found_at: number,
): Promise<Result<Verdict | undefined, Failure>> {
  const id = context.platform.ports.random.uuid();
  const response = await post(context, server, {
    headers: [
      ["mcp-protocol-version", MODERN_VERSION],
      ["mcp-method", "server/discover"],
    ],
    body: encodeRequest(id, "server/discover", { _meta: ownMeta }),
    total_ms: limits.eraProbe_ms,
  });
  if (!response.ok) return response;
  const { status } = response.value;
  if (status >= 500 || status === 429 || status === 408) {
    await response.value.discard();
    return err(failure("upstream_refused", undefined, { reason: `upstream_http_${status}` }));
  }
  const answered = await readAnswer(response.value, id);
  // No readable answer to our id on a 2xx or 4xx: an earlier revision, or no MCP server; `initialize` will tell.
  if (!answered.ok) return answered.error.code === "upstream_invalid" ? ok(undefined) : answered;
  const { response: answer } = answered.value;
  if (answer.kind === "error") {
    return ok(isModernError(answer.error) ? { era: "modern", capabilities: {}, found_at } : undefined);
  }
  const { supportedVersions, capabilities, instructions } = answer.result;
  if (!Array.isArray(supportedVersions) || !supportedVersions.includes(MODERN_VERSION)) return ok(undefined);
  const declared = readDeclaration(capabilities, instructions);
  return ok({ era: "modern", ...withInstructions(declared), found_at });
}

const withInstructions = ({
  capabilities,
  instructions,
}: Declaration): Pick<Verdict, "capabilities" | "instructions"> => ({
  capabilities,
  ...(instructions === undefined ? {} : { instructions }),
});

/** KV is a cache that may be stale, slow or down: then the server is asked. */
async function readStored(context: UpstreamContext, key: string): Promise<Verdict | undefined> {
  const { bindings, ports, log } = context.platform;
  const read = new AbortController();
  try {
    const late = ports.clock.sleep(limits.cacheRead_ms, read.signal);
    return verdictSchema.safeParse(await Promise.race([bindings.CACHE.get(key, "json"), late])).data;
  } catch (cause) {
    log("warn", "KV could not be read", { cause });
    return undefined;
  } finally {
    read.abort();
  }
}

async function store(context: UpstreamContext, key: string, verdict: Verdict): Promise<void> {
  try {
    await context.platform.bindings.CACHE.put(key, JSON.stringify(verdict), {
      expirationTtl: Math.max(60, Math.ceil(limits.eraVerdict_ms / 1000)),
    });
  } catch (cause) {
    context.platform.log("warn", "KV could not be written", { cause });
  }
}

async function forgetStored(context: UpstreamContext, key: string): Promise<void> {
  try {
    await context.platform.bindings.CACHE.delete(key);
  } catch (cause) {
    context.platform.log("warn", "KV could not be written", { cause });
  }
}
