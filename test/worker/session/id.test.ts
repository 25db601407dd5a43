import { env } from "cloudflare:workers";
import { listDurableObjectIds } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import {
  mintSessionId,
  newOwner,
  openSessionId,
  type ClientSession,
  type SessionGrant,
} from "../../../src/session/index.ts";
import { limits } from "../../../src/limits.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { invocation, start, type Invocation } from "./support.ts";

const session = (more: Partial<ClientSession> = {}): ClientSession => ({
  owner: newOwner(systemPorts.random),
  version: "2025-06-18",
  clientInfo: { name: "Claude", version: "1" },
  clientCapabilities: { sampling: {}, elicitation: { form: {} } },
  expires_at: start + limits.session_ms,
  ...more,
});

let here: Invocation;
const grant = (more: Partial<ClientSession> = {}): SessionGrant => ({
  principal_id: "client:c1",
  endpoint_path: "/mcp",
  session: session(more),
});
const open = (
  id: string,
  { tenant = here.context.tenant.id, principal = "client:c1", endpoint = "/mcp" } = {},
): Promise<ClientSession | undefined> => openSessionId(here.context.vault, here.clock, tenant, principal, endpoint, id);

beforeEach(async () => {
  here = await invocation();
});

describe("session id", () => {
  it("MCP 2025-11-25 Session Management: the id carries the session, in visible ASCII", async () => {
    const granted = grant();
    const id = await mintSessionId(here.context, granted);
    expect(id).toMatch(/^[\x21-\x7e]+$/);
    expect(await open(id)).toEqual(granted.session);
    expect(await open(id)).toEqual(granted.session);
  });

  it("MC-32: an owner is 128 random bits, and two ids of one session are not alike", async () => {
    const owners = new Set(Array.from({ length: 1_000 }, () => newOwner(systemPorts.random)));
    expect(owners.size).toBe(1_000);
    for (const owner of owners) expect(owner).toMatch(/^session:[A-Za-z0-9_-]{22}$/);
    const granted = grant();
    expect(await mintSessionId(here.context, granted)).not.toBe(await mintSessionId(here.context, granted));
  });

  it.each([
    ["another principal of the tenant", { principal: "client:c2" }],
    ["another endpoint", { endpoint: "/mcp/github" }],
    ["another tenant", { tenant: "other" }],
  ])("MC-31: %s gets nothing for it, whether or not its owner used it before", async (_title, foreign) => {
    const id = await mintSessionId(here.context, grant());
    expect(await open(id, foreign)).toBeUndefined();
    expect(await open(id)).toBeDefined();
    expect(await open(id, foreign)).toBeUndefined();
  });

  it("MC-31: an id expires, also one that this isolate has opened", async () => {
    const id = await mintSessionId(here.context, grant());
    expect(await open(id)).toBeDefined();
    here.clock.advance(limits.session_ms - 1);
    expect(await open(id)).toBeDefined();
    here.clock.advance(1);
    expect(await open(id)).toBeUndefined();
  });

  it("MC-31: an id with any one character changed does not open", async () => {
    const id = await mintSessionId(here.context, grant());
    const body = id.indexOf(".") + 1;
    for (let at = body; at < id.length; at += 7) {
      const tampered = id.slice(0, at) + (id[at] === "A" ? "B" : "A") + id.slice(at + 1);
      expect([at, await open(tampered)]).toEqual([at, undefined]);
    }
  });

  it.each([
    ["nothing", ""],
    ["a UUID", "1868a90c-7d4c-4f6c-8b6a-3f2f3f1d1b1b"],
    ["two ids in one header", "a.b, a.b"],
    ["bytes outside of ASCII", "test.\u00e9\u00e9\u00e9\u00e9"],
    ["more than a header holds", `test.${"A".repeat(limits.sessionId_chars)}`],
  ])("MC-31: %s is no session id", async (_title, header) => {
    expect(await open(header)).toBeUndefined();
  });

  it("MC-31: a handle of another purpose is no session id", async () => {
    const { vault, tenant } = here.context;
    const payload = {
      principal: "client:c1",
      endpoint: "/mcp",
      owner: "session:x",
      version: "2025-06-18",
      capabilities: {},
    };
    const expires_at = start + 1_000;
    expect(
      await open(await vault.sealHandle("task", tenant.id, { ...payload, expires_at }, expires_at)),
    ).toBeUndefined();
    // The same content under the right purpose opens, so it is the purpose that was refused.
    expect(
      await open(await vault.sealHandle("session", tenant.id, { ...payload, expires_at }, expires_at)),
    ).toBeDefined();
  });

  it("MC-34: a session cannot be had for the state of a principal", async () => {
    expect(await open(await mintSessionId(here.context, grant({ owner: "principal:client:c1" })))).toBeUndefined();
  });

  it("RX-15: a client that declares more than a header holds gets a session without its declarations", async () => {
    const clientCapabilities = { sampling: { x: "x".repeat(limits.sessionId_chars) } };
    const id = await mintSessionId(here.context, grant({ clientCapabilities }));
    expect(id.length).toBeLessThan(limits.sessionId_chars);
    expect((await open(id))?.clientCapabilities).toEqual({});
  });

  it("RX-15: a thousand sessions wake and store nothing", async () => {
    const before = await listDurableObjectIds(env.SESSION);
    for (let n = 0; n < 1_000; n += 1) await open(await mintSessionId(here.context, grant()));
    expect(here.asked).toBe(0);
    expect(await listDurableObjectIds(env.SESSION)).toHaveLength(before.length);
  });
});
