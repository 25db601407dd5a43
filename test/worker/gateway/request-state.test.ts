/** The state that a client carries between the rounds of a call: sealed, and good for its owner's same request only. */
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import {
  ask,
  createHarness,
  freshKeys,
  meta,
  modernUpstream,
  objectAt,
  responseEvents,
  sent,
  setUp,
  type Asked,
  type Harness,
  type Tenant,
} from "./support.ts";
import { VirtualClock } from "./virtual-clock.ts";

let harness: Harness;
let tenant: Tenant;
let token: string;
let clock: VirtualClock;
let ids: string[];

const capabilities = { elicitation: {}, sampling: {}, roots: {} };
const inputRequests = { ask: { method: "elicitation/create", params: { message: "Name?", requestedSchema: {} } } };
const inputResponses = { ask: { action: "accept", content: { name: "x" } } };

beforeEach(async () => {
  clock = new VirtualClock(Date.now());
  harness = createHarness({ ports: { clock }, bindings: { GATEHOUSE_KEYS: freshKeys() } });
  tenant = await setUp(harness);
  ids = [await tenant.addServer("up"), await tenant.addServer("other")];
  ({ token } = await tenant.addClient(ids));
  for (const host of ["up.upstream.test", "other.upstream.test"]) {
    harness.serve(
      host,
      modernUpstream(({ message }) => {
        const method = message["method"];
        if (method === "tools/list") return { tools: [] };
        const { requestState } = objectAt(message, "params");
        if (requestState === undefined) return { resultType: "input_required", inputRequests, requestState: "round 1" };
        if (requestState === "round 1") return { resultType: "input_required", requestState: "round 2", inputRequests };
        return { resultType: "complete", content: [], messages: [], contents: [], state: requestState };
      }),
    );
  }
});

interface Round {
  readonly path?: string;
  readonly method?: string;
  readonly params?: JsonObject;
  readonly token?: string;
}
const first: Round = {
  path: "/mcp/up",
  method: "tools/call",
  params: { name: "run", arguments: { a: 1, b: { c: [2] } } },
};

function send(round: Round): Promise<Asked> {
  const params = { ...round.params, _meta: meta(capabilities) };
  return ask(harness, tenant.origin + (round.path ?? "/mcp/up"), round.method ?? "tools/call", params, {
    token: round.token ?? token,
  });
}

const stateIn = ({ message }: Asked): string => {
  const state = objectAt(message, "result")["requestState"];
  if (typeof state !== "string") throw new Error(`no state in ${JSON.stringify(message)}`);
  return state;
};

const withState = (round: Round, requestState: string): Round => ({
  ...round,
  params: { ...round.params, requestState, inputResponses },
});

describe("a call that asks for input", () => {
  const places: Readonly<Record<string, Round>> = {
    "tools/call on /mcp/up": first,
    "tools/call on /mcp": { ...first, path: "/mcp", params: { ...first.params, name: "up__run" } },
    "prompts/get on /mcp/up": { path: "/mcp/up", method: "prompts/get", params: { name: "greet" } },
    "prompts/get on /mcp": { path: "/mcp", method: "prompts/get", params: { name: "up__greet" } },
    "resources/read on /mcp/up": { path: "/mcp/up", method: "resources/read", params: { uri: "file:///a" } },
    "resources/read on /mcp": { path: "/mcp", method: "resources/read", params: { uri: "gatehouse://up/file:///a" } },
  };

  it.each(Object.keys(places))("F3: goes on over several rounds: %s", async (place) => {
    const round = places[place] ?? {};
    const one = await send(round);
    expect(one.message["result"]).toMatchObject({ resultType: "input_required", inputRequests });
    expect(one.text).not.toContain("round 1");
    const two = await send(withState(round, stateIn(one)));
    const three = await send(withState(round, stateIn(two)));
    expect(three.message["result"]).toMatchObject({ resultType: "complete", state: "round 2" });
    const seen = sent(harness, round.method ?? "").map(({ message }) => objectAt(message, "params"));
    expect(seen.map(({ requestState }) => requestState)).toEqual([undefined, "round 1", "round 2"]);
    expect(seen[1]?.["inputResponses"]).toEqual(inputResponses);
    expect(responseEvents(harness).map(({ outcome }) => outcome.status)).toEqual([
      "input_required",
      "input_required",
      "ok",
    ]);
  });

  it("MC-26: the state is good whatever the order of the arguments' members", async () => {
    const state = stateIn(await send(first));
    const reordered = { ...first.params, arguments: { b: { c: [2] }, a: 1 } };
    expect((await send(withState({ ...first, params: reordered }, state))).status).toBe(200);
  });

  it("MC-26: the state is good until it expires", async () => {
    const state = stateIn(await send(first));
    clock.advance(limits.requestState_ms - 1);
    expect((await send(withState(first, state))).status).toBe(200);
  });

  it("MC-27: responses that nobody asked for reach the server, which ignores them, and change nothing here", async () => {
    const answered = await send({ ...first, params: { ...first.params, inputResponses: { "never-asked": { a: 1 } } } });
    expect(answered.message["result"]).toMatchObject({ resultType: "input_required", inputRequests });
  });

  it.each([
    ["a string", "x"],
    ["a list", [{}]],
    ["a map of strings", { ask: "x" }],
  ] as const)("MC-27: responses as %s are refused, and the upstream sees nothing", async (_case, responses) => {
    const params = { ...first.params, inputResponses: responses } as unknown as JsonObject;
    expect(await send({ ...first, params })).toMatchObject({ status: 400, message: { error: { code: -32602 } } });
    expect(harness.seen).toEqual([]);
  });
});

describe("a state that is not good for this request", () => {
  let state: string;
  let before: number;

  beforeEach(async () => {
    state = stateIn(await send(first));
    before = harness.seen.length;
  });

  const moved: Readonly<Record<string, Round>> = {
    "another tool": { ...first, params: { ...first.params, name: "other" } },
    "other arguments": { ...first, params: { ...first.params, arguments: { a: 2, b: { c: [2] } } } },
    "arguments with one more member": {
      ...first,
      params: { ...first.params, arguments: { a: 1, b: { c: [2] }, d: null } },
    },
    "no arguments": { ...first, params: { name: "run" } },
    "another method": { ...first, method: "prompts/get" },
    "another server": { ...first, path: "/mcp/other" },
    "another server of the aggregate": { ...first, path: "/mcp", params: { ...first.params, name: "other__run" } },
  };

  it.each(Object.keys(moved))("MC-26: %s: refused, and no upstream sees it", async (place) => {
    await refused(withState(moved[place] ?? {}, state), "handle_not_yours");
  });

  it("MC-26: another principal: refused, and no upstream sees it", async () => {
    const other = await tenant.addClient(ids);
    await refused(withState({ ...first, token: other.token }, state), "handle_not_yours");
  });

  it("MC-26: expired: refused, and no upstream sees it", async () => {
    clock.advance(limits.requestState_ms + 1);
    await refused(withState(first, state), "handle_expired");
  });

  it.each(["flipped", "cut", "extended", "of another key", "empty", "not ours", "with spaces"])(
    "MC-26: %s: refused, and no upstream sees it",
    async (kind) => {
      const at = Math.floor(state.length / 2);
      const forged: Readonly<Record<string, string>> = {
        flipped: state.slice(0, at) + (state[at] === "A" ? "B" : "A") + state.slice(at + 1),
        cut: state.slice(0, -4),
        extended: `${state}AAAA`,
        "of another key": state.replace(/^test/, "other"),
        empty: "",
        "not ours": "round 1",
        "with spaces": ` ${state}`,
      };
      await refused(withState(first, forged[kind] ?? ""));
    },
  );

  it("MC-26: of another tenant: refused, and no upstream sees it", async () => {
    const elsewhere = await setUp(harness, "https://b.gw.test");
    const theirs = await elsewhere.addClient([await elsewhere.addServer("up")]);
    before = harness.seen.length;
    const params = { ...withState(first, state).params, _meta: meta(capabilities) };
    const answered = await ask(harness, `${elsewhere.origin}/mcp/up`, "tools/call", params, { token: theirs.token });
    expect(answered).toMatchObject({ status: 400, message: { error: { code: -32602 } } });
    expect(harness.seen).toHaveLength(before);
  });

  async function refused(round: Round, reason?: string): Promise<void> {
    const answered = await send(round);
    expect(answered).toMatchObject({ status: 400, message: { id: 1, error: { code: -32602 } } });
    expect(harness.seen).toHaveLength(before);
    const { outcome } = responseEvents(harness).at(-1) ?? {};
    expect(outcome).toMatchObject({ status: "error", ...(reason === undefined ? {} : { reason }) });
  }
});
