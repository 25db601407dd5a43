/** What connections are made for, which state they show, and how far they are widened. */
import { beforeEach, describe, expect, it } from "vitest";
import { fitOf, liveCredential, stateOf, stepUp } from "../../../src/connections/index.ts";
import { limits } from "../../../src/limits.ts";
import { authenticationSchema, type Server } from "../../../src/registry/index.ts";
import type { ConnectionKey, NewConnection } from "../../../src/vault/index.ts";
import { createWorld, linkOf, type World } from "./world.ts";

const at = (authentication: unknown, url = "https://up.test/mcp"): Pick<Server, "url" | "authentication"> => ({
  url,
  authentication: authenticationSchema.parse(authentication),
});

const kinds = [
  { type: "none" },
  { type: "bearer", holder: "user" },
  { type: "basic", holder: "user" },
  { type: "api_key_header", header: "x-key", holder: "user" },
  { type: "api_key_header", header: "x-other", holder: "user" },
  { type: "api_key_query", parameter: "key", holder: "user" },
  { type: "api_key_query", parameter: "other", holder: "user" },
  { type: "oauth" },
  { type: "oauth", issuer: "https://a.test" },
  { type: "oauth", issuer: "https://b.test" },
  { type: "oauth", client_id: "one" },
  { type: "oauth", client_id: "two" },
  {
    ...{ type: "oauth", client_id: "one" },
    endpoints: { authorization: "https://a.test/a", token: "https://a.test/t" },
  },
  { type: "client_credentials", client_id: "one", token_endpoint: "https://a.test/t" },
];

describe("what a connection is made for", () => {
  it("U8: each kind, endpoint, client and place is another", () => {
    expect(new Set(kinds.map((kind) => fitOf(at(kind)))).size).toBe(kinds.length);
  });

  it("U8: another host or path is another; query, hint, scopes and case of a header are not", () => {
    const of = fitOf(at({ type: "oauth" }));
    expect(fitOf(at({ type: "oauth" }, "https://evil.test/mcp"))).not.toBe(of);
    expect(fitOf(at({ type: "oauth" }, "https://up.test/other"))).not.toBe(of);
    expect(fitOf(at({ type: "oauth", hint: "h", scopes: ["a"] }, "https://up.test/mcp?v=2"))).toBe(of);
    const header = (name: string) => fitOf(at({ type: "api_key_header", header: name, holder: "user" }));
    expect(header("X-Key")).toBe(header("x-key"));
  });
});

describe("the state that people see", () => {
  const server = { ...at({ type: "oauth" }), id: "s" } as Server;
  const facts = { state: "linked", reason: null, target: "s", account: "default", fit: fitOf(server) } as const;

  it.each([
    ["linked", facts, server],
    ["needs_reauth", { ...facts, state: "needs_reauth" as const }, server],
    ["needs_update", { ...facts, fit: "another" }, server],
    ["orphaned", facts, undefined],
    ["orphaned", { ...facts, state: "needs_reauth" as const }, undefined],
    ["linked", { ...facts, target: "idp", fit: "" }, undefined],
    ["linked", { ...facts, target: "credential:1", fit: "" }, undefined],
    ["needs_reauth", { ...facts, target: "idp", state: "needs_reauth" as const }, undefined],
    ["linked", { ...facts, account: "header:x-token", fit: "recipe" }, server],
    ["needs_reauth", { ...facts, reason: "refused" }, server],
    ["needs_reauth", { ...facts, reason: "registration_gone" }, server],
    ["needs_update", { ...facts, reason: "refused", fit: "another" }, server],
    ["orphaned", { ...facts, reason: "refused" }, undefined],
    ["linked", { ...facts, reason: "invalid_client" }, server],
  ] as const)("U14: is %s", (state, of, on) => {
    expect(stateOf(of, on)).toBe(state);
  });
});

describe("UP-19: a server that asks for more scope", () => {
  let world: World;
  let key: ConnectionKey;

  beforeEach(async () => {
    world = await createWorld();
    key = { user_id: await world.addUser(), target: crypto.randomUUID(), account: "default" };
  });

  async function asked(challenged: string, more: Partial<NewConnection> = {}) {
    await world.store.put(key, linkOf(world, more));
    await world.announce();
    const live = await liveCredential(await world.base(), key, {});
    if (!live.ok) throw new Error(live.error.reason);
    return stepUp(await world.base(), key, live.value, challenged);
  }

  it("gets what was asked for before and what it wants now, counted", async () => {
    expect(await asked("write read", { scope: "read", asked_scope: "read profile" })).toEqual({
      ...{ scope: "read profile write", step_ups: 1 },
    });
    expect(await asked("write", { scope: null, asked_scope: null, step_ups: 1 })).toEqual({
      scope: "write",
      step_ups: 2,
    });
  });

  it("stops after as many as the limit says, until the person links by themselves", async () => {
    expect(await asked("write", { step_ups: limits.stepUps_count })).toBeUndefined();
    expect(await asked("write", { step_ups: 0 })).toMatchObject({ step_ups: 1 });
  });

  it("stops where it was asked for already and the person or the provider said no", async () => {
    expect(await asked("write", { scope: "read", asked_scope: "read write" })).toBeUndefined();
    expect(await asked("", {})).toBeUndefined();
  });

  it("gets nothing for an answer that is about a former connection, or is past the bound", async () => {
    await world.store.put(key, linkOf(world));
    const live = await liveCredential(await world.base(), key, {});
    if (!live.ok) throw new Error(live.error.reason);
    await world.store.put(key, linkOf(world));
    expect(await stepUp(await world.base(), key, live.value, "write")).toBeUndefined();
    expect(await asked("w".repeat(limits.scope_chars))).toBeUndefined();
  });
});
