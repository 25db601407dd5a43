import { beforeAll, describe, expect, it } from "vitest";
import { modernPost, modernUpstream, setUp, sse, type Harness, type Tenant } from "../gateway/support.ts";
import { createWorld } from "./support.ts";

interface Caller {
  readonly origin: string;
  readonly name: string;
  readonly token: string;
}

const callers: Caller[] = [];
let harness: Harness;

/** Repeatable disorder: a seeded generator decides how long each answer takes. */
let seed = 20261121;
const chance = (): number => {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) / 2 ** 32;
};

const delay = async (): Promise<void> => {
  for (let turns = Math.floor(chance() * 30); turns > 0; turns -= 1) await Promise.resolve();
  if (chance() < 0.2) await new Promise((resolve) => setTimeout(resolve, 0));
};

/** Says who asked, as the upstream sees it: the argument, the credential, the progress token. */
const mirror = modernUpstream(async ({ message, headers }) => {
  await delay();
  const params = message["params"] as { arguments?: { marker?: string }; _meta?: { progressToken?: string } };
  if (message["method"] === "tools/list") {
    const inputSchema = { type: "object", properties: { marker: { type: "string", "x-mcp-header": "Marker" } } };
    return { tools: [{ name: "mirror", inputSchema }], ttlMs: 0, cacheScope: "private" };
  }
  const marker = params.arguments?.marker ?? "";
  const text = `${marker} ${headers.get("authorization")} ${headers.get("mcp-param-marker")}`;
  const answer = { resultType: "complete", content: [{ type: "text", text }] };
  const progressToken = params._meta?.progressToken;
  if (progressToken === undefined) return answer;
  const progress = { progressToken, progress: 1, message: marker };
  return sse(
    { jsonrpc: "2.0", method: "notifications/progress", params: progress },
    { jsonrpc: "2.0", id: message["id"] ?? null, result: answer },
  );
});

beforeAll(async () => {
  let first: Tenant;
  ({ harness, tenant: first } = await createWorld());
  for (const tenant of [first, await setUp(harness, "https://b.gw.test")]) {
    const label = tenant.origin.slice(8, 9);
    harness.serve(`${label}.upstream.test`, mirror);
    await tenant.addServer("same", {
      url: `https://${label}.upstream.test/mcp`,
      authentication: { type: "bearer" },
      credential: { type: "bearer", token: `credential-of-${label}` },
    });
    for (let at = 0; at < 8; at += 1) {
      const { token } = await tenant.addClient(["same"]);
      callers.push({ origin: tenant.origin, name: `${label}${at}`, token });
    }
  }
});

async function ask(caller: Caller, run: number): Promise<string[]> {
  const marker = `<${caller.name}-${run}>`;
  const tenant = caller.name.slice(0, 1);
  const aggregate = chance() < 0.5;
  const streamed = chance() < 0.3;
  const name = aggregate ? "same__mirror" : "mirror";
  const init = modernPost(
    "tools/call",
    { name, arguments: { marker } },
    { token: caller.token, id: marker, headers: { "mcp-param-marker": marker } },
  );
  if (streamed) {
    const message = JSON.parse(String(init.body)) as { params: { _meta: Record<string, unknown> } };
    message.params._meta["progressToken"] = marker;
    init.body = JSON.stringify(message);
  }
  await delay();
  const response = await harness.fetch(`${caller.origin}/mcp${aggregate ? "" : "/same"}`, init);
  const text = await response.text();
  const markers = new Set(text.match(/<[ab]\d-\d+>/g));
  const credentials = new Set(text.match(/credential-of-[ab]/g));
  const right = response.status === 200 && markers.size === 1 && markers.has(marker);
  const own = credentials.size === 1 && credentials.has(`credential-of-${tenant}`);
  return right && own ? [] : [`${marker}: ${response.status} ${text}`];
}

async function hammer(runs: number): Promise<string[]> {
  const crossings: string[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < runs) {
      const run = next;
      next += 1;
      const caller = callers[Math.floor(chance() * callers.length)];
      if (caller !== undefined) crossings.push(...(await ask(caller, run)));
    }
  };
  await Promise.all(Array.from({ length: 32 }, worker));
  return crossings;
}

describe("many callers of two tenants in one isolate", () => {
  it("TN-16: alternating without an order, none ever sees another's data", async () => {
    expect(await hammer(1_500)).toEqual([]);
  }, 120_000);

  it("RX-19: each upstream saw its own tenant's calls and credential alone", () => {
    const wrong = harness.seen.filter(({ url, headers, text }) => {
      const label = new URL(url).hostname.slice(0, 1);
      const foreign = label === "a" ? /<b\d-/ : /<a\d-/;
      return headers.get("authorization") !== `Bearer credential-of-${label}` || foreign.test(text);
    });
    expect([harness.seen.length > 1_500, wrong]).toEqual([true, []]);
  });

  it("RX-19: each event names the tenant and the client that called", () => {
    const clients = new Map<string, Set<string>>();
    for (const event of harness.events) {
      if (event.type !== "mcp.request" && event.type !== "mcp.response") continue;
      const agents = clients.get(event.tenant.slice(0, 1)) ?? new Set();
      clients.set(event.tenant.slice(0, 1), agents.add(event.actor.agent ?? ""));
    }
    const [ofA, ofB] = [clients.get("a") ?? new Set(), clients.get("b") ?? new Set()];
    expect([ofA.size, ofB.size, ofA.intersection(ofB).size]).toEqual([8, 8, 0]);
  });

  it("RX-19: each request has one outcome, of the same tenant and caller", () => {
    const requests = new Map(
      harness.events.flatMap((event) => (event.type === "mcp.request" ? [[event.id, event] as const] : [])),
    );
    const wrong = harness.events.filter((event) => {
      if (event.type !== "mcp.response") return false;
      const request = requests.get(event.request_id);
      requests.delete(event.request_id);
      return request?.tenant !== event.tenant || request.actor.agent !== event.actor.agent;
    });
    expect([wrong, requests.size]).toEqual([[], 0]);
  });
});
