/**
 * Which era a server is spoken to in, asked once for each server, account and era of the client: a server that speaks both is spoken to
 * in the client's, so that what it asks can reach the client. What it says of itself may be for one account only. Only evidence is kept: what is inconclusive is
 * asked again at the next call. Verdicts live in memory and, for isolates that start cold, in KV.
 */
import * as z from "zod";
import { BoundedMap } from "../bounded-map.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { holderOf } from "../outbound/index.ts";
import { err, ok, type Result } from "../ports.ts";
import { encodeRequest, MODERN_VERSION } from "../protocol/index.ts";
import type { Target, UpstreamContext } from "./call.ts";
import { readDeclaration, type Declaration } from "./declaration.ts";
import { isEvidence, isModernError, isOutage } from "./era-evidence.ts";
import { post, refusedStatus } from "./http.ts";
import { closeUpstreamSession, legacySession } from "./legacy-session.ts";
import { probeSse } from "./legacy-sse.ts";
import { readAnswer } from "./messages.ts";
import { ownMeta } from "./modern.ts";

const found = {
  /** What the server declares, cut to what is used. */
  capabilities: z.record(z.string(), z.json()),
  instructions: z.string().optional(),
  /** It showed its era by an error alone, so what it declares is not known and soon asked again. */
  undeclared: z.literal(true).optional(),
  /** Milliseconds since the Unix epoch. */
  found_at: z.number(),
};

const verdictSchema = z.discriminatedUnion("era", [
  z.object({ era: z.literal("modern"), ...found }),
  z.object({ era: z.literal("legacy"), transport: z.enum(["streamable", "sse"]), ...found }),
]);

export type Verdict = z.infer<typeof verdictSchema>;

const verdicts = new BoundedMap<Verdict>(limits.eras_count);

/** The revision counts with every change of URL or credential, so the key holds both. `2` is the shape of the verdict. */
const keyOf = (context: UpstreamContext, server: Target, holder: string): string =>
  `era:2:${JSON.stringify([context.tenant.id, server.id, server.revision, context.era, holder])}`;

/** @returns the verdict, or the failure that made the probe inconclusive */
export async function eraOf(context: UpstreamContext, server: Target): Promise<Result<Verdict, Failure>> {
  const now = context.platform.ports.clock.now();
  // A credential that is only tried is nobody's yet.
  if (context.trial !== undefined) return probe(context, server, now);
  const holder = await holderOf(context, server);
  if (!holder.ok) return holder;
  const key = keyOf(context, server, holder.value);
  const fresh = (verdict: Verdict | undefined): verdict is Verdict =>
    verdict !== undefined && verdict.found_at <= now && now - verdict.found_at < lifeOf_ms(verdict);

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

const lifeOf_ms = ({ undeclared }: Verdict): number =>
  undeclared === true ? limits.eraUndeclared_ms : limits.eraVerdict_ms;

export async function forgetEra(context: UpstreamContext, server: Target): Promise<void> {
  const holder = await holderOf(context, server);
  if (!holder.ok) return;
  const key = keyOf(context, server, holder.value);
  verdicts.delete(key);
  context.platform.waitUntil(forgetStored(context, key));
}

/** @returns `isEvidence` failures where the server clearly does not speak the era that it was asked for */
type Probe = (context: UpstreamContext, server: Target, found_at: number) => Promise<Result<Verdict, Failure>>;

/**
 * In the client's era first, and last over the transport of 2024-11-05.
 * @see MCP 2026-07-28 versioning, and 2025-11-25 transports, "Backwards Compatibility"
 */
async function probe(context: UpstreamContext, server: Target, found_at: number): Promise<Result<Verdict, Failure>> {
  const [first, second]: [Probe, Probe] =
    context.era === "modern" ? [probeModern, probeLegacy] : [probeLegacy, probeModern];
  const preferred = await first(context, server, found_at);
  if (preferred.ok || !isEvidence(preferred.error)) return preferred;
  const other = await second(context, server, found_at);
  if (other.ok || !isEvidence(other.error)) return other;
  const oldest = await probeSse(context, server);
  if (oldest.ok) return ok({ era: "legacy", transport: "sse", ...withInstructions(oldest.value), found_at });
  if (oldest.error.reason !== "no_endpoint") return oldest;
  // What the handshake failed of says most about a server that speaks none of the three.
  return context.era === "modern" ? other : preferred;
}

/** The handshake is the question; the session that it opens is the one that this owner's calls use. */
const probeLegacy: Probe = async (context, server, found_at) => {
  const session = await legacySession(context, server, limits.eraProbe_ms);
  if (!session.ok) return session;
  if (context.owner === undefined) context.platform.waitUntil(closeUpstreamSession(context, server, session.value));
  return ok({ era: "legacy", transport: "streamable", ...withInstructions(session.value), found_at });
};

const notModern: Failure = failure("upstream_invalid", undefined, { reason: "discover_refused" });

const probeModern: Probe = async (context, server, found_at) => {
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
  if (isOutage(status)) return err(await refusedStatus(response.value));
  const answered = await readAnswer(response.value, id);
  // No readable answer to our id on a 2xx or 4xx: an earlier revision, or no MCP server; `initialize` will tell.
  if (!answered.ok) return answered.error.code === "upstream_invalid" ? err(notModern) : answered;
  const { response: answer } = answered.value;
  if (answer.kind === "error") {
    const undeclared: Verdict = { era: "modern", capabilities: {}, undeclared: true, found_at };
    return isModernError(answer.error) ? ok(undeclared) : err(notModern);
  }
  const { supportedVersions, capabilities, instructions } = answer.result;
  if (!Array.isArray(supportedVersions) || !supportedVersions.includes(MODERN_VERSION)) return err(notModern);
  const declared = readDeclaration(capabilities, instructions);
  return ok({ era: "modern", ...withInstructions(declared), found_at });
};

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
