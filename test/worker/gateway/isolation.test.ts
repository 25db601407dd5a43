/** Many callers in one isolate: each gets its own answers, whatever ids and tokens they choose. */
import { beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/ports.ts";
import { legacyUpstream } from "./legacy-upstream.ts";
import {
  ask,
  createHarness,
  meta,
  modernPost,
  modernUpstream,
  objectAt,
  requestEvents,
  responseEvents,
  sent,
  setUp,
  sse,
  type Harness,
  type Seen,
  type Tenant,
} from "./support.ts";

let harness: Harness;
let tenants: Tenant[];
/** Several clients of each of two tenants. */
let callers: { readonly origin: string; readonly token: string }[];

/** Echoes what it was sent, after progress under the token that it was given. */
function echo({ message }: Seen): Response {
  const params = objectAt(message, "params");
  const { progressToken } = objectAt(params, "_meta");
  const marker = objectAt(params, "arguments")["marker"] ?? null;
  return sse(
    {
      jsonrpc: "2.0",
      method: "notifications/progress",
      params: { progressToken: progressToken ?? null, progress: 1, message: marker },
    },
    { jsonrpc: "2.0", id: message["id"] ?? null, result: { resultType: "complete", content: [], marker } },
  );
}

beforeAll(async () => {
  harness = createHarness();
  tenants = [await setUp(harness, "https://a.gw.test"), await setUp(harness, "https://b.gw.test")];
  callers = [];
  for (const tenant of tenants) {
    // The same slugs in both tenants, so that a key without the tenant would collide (TN-08).
    const ids = [await tenant.addServer("new"), await tenant.addServer("old")];
    for (let count = 0; count < 3; count += 1)
      callers.push({ origin: tenant.origin, ...(await tenant.addClient(ids)) });
  }
  harness.serve(
    "new.upstream.test",
    modernUpstream((seen) => (seen.message["method"] === "tools/list" ? { tools: [] } : echo(seen))),
  );
  harness.serve(
    "old.upstream.test",
    legacyUpstream({ sessions: Array.from({ length: 100 }, (_, at) => `session-${at}`), stream: true }, echo),
  );
});

async function callAs(caller: { origin: string; token: string }, server: string, marker: string) {
  const params: JsonObject = { name: "echo", arguments: { marker }, _meta: meta({}, { progressToken: 1 }) };
  return ask(harness, `${caller.origin}/mcp/${server}`, "tools/call", params, { token: caller.token, id: 1 });
}

describe.each(["new", "old"])("callers of server %s at once, all with request id 1 and progress token 1", (server) => {
  it("MC-35, MC-37, RX-19, TN-16: get their own progress and their own answers", async () => {
    const rounds = Array.from({ length: 4 }, (_, round) =>
      callers.map((caller, at) => ({ caller, marker: `m-${round}-${at}` })),
    );
    const answers = await Promise.all(
      rounds.flat().map(async ({ caller, marker }) => ({ marker, answered: await callAs(caller, server, marker) })),
    );
    for (const { marker, answered } of answers) {
      expect(answered.messages).toHaveLength(2);
      expect(answered.messages[0]).toMatchObject({ params: { progressToken: 1, message: marker } });
      expect(answered.messages[1]).toMatchObject({ id: 1, result: { marker } });
      expect(answered.text.match(/m-\d-\d/g)?.every((found) => found === marker)).toBe(true);
    }
  });

  it("AU-02: have a request event and an outcome each, in their own tenant", () => {
    const requests = requestEvents(harness).filter(({ target }) => target.server === server);
    const outcomes = new Map(responseEvents(harness).map((event) => [event.request_id, event]));
    expect(requests).toHaveLength(24);
    for (const { id, tenant, actor } of requests) expect(outcomes.get(id)).toMatchObject({ tenant, actor });
  });
});

describe("a legacy server", () => {
  it("MC-37: gets a progress token of its own for each call", () => {
    const tokens = sent(harness, "tools/call")
      .filter(({ url }) => url.includes("old."))
      .map(({ message }) => objectAt(objectAt(message, "params"), "_meta")["progressToken"]);
    expect(new Set(tokens).size).toBe(tokens.length);
  });

  it("RX-19, TN-08: has a session for each principal of each tenant, and none for two", async () => {
    const sessions: (string | null | undefined)[] = [];
    for (const caller of callers) {
      await callAs(caller, "old", "m-9-9");
      sessions.push(sent(harness, "tools/call").at(-1)?.headers.get("mcp-session-id"));
    }
    expect(new Set(sessions).size).toBe(callers.length);
  });
});

describe("tenants", () => {
  it("TN-16: a token of one is nothing in the other", async () => {
    const before = harness.seen.length;
    const [first, last] = [callers[0], callers.at(-1)];
    // Left open: the count of unknown callers runs on behind the answer until its window ends.
    const init = modernPost("tools/call", { name: "echo" }, { token: last?.token ?? "" });
    const { response } = await harness.open(`${first?.origin}/mcp/new`, init);
    expect(response.status).toBe(401);
    expect(harness.seen).toHaveLength(before);
  });

  it("TN-08: a server of one is not in the other's list", async () => {
    const [a, b] = tenants;
    const only = await a?.addServer("only-in-a");
    expect(only).toBeTruthy();
    const answered = await ask(
      harness,
      `${b?.origin}/mcp/only-in-a`,
      "server/discover",
      {},
      { token: callers.at(-1)?.token ?? "" },
    );
    expect(answered.status).toBe(404);
  });
});
