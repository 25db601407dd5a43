/** What admission makes of a caller, without the way around it. */
import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import {
  admitClient,
  holdsOwnToken,
  mayUseOrganisation,
  mintToken,
  stillAdmitted,
  type PassthroughDoor,
  type Principal,
} from "../../../src/admission/index.ts";
import type { JsonObject } from "../../../src/ports.ts";
import type { AgentAuthentication, Server } from "../../../src/registry/index.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { defaultSettings, type Snapshot } from "../../../src/tenant/index.ts";
import { createVault, type Vault } from "../../../src/vault/index.ts";
import { freshKeys } from "../gateway/support.ts";
import { createSigner, createWorld, sign, type Signer, type World } from "../trust/support.ts";

const origin = "https://a.gw.test";
let vault: Vault;
let world: World;
let signer: Signer;

beforeAll(async () => {
  const made = await createVault(freshKeys(), systemPorts);
  if (!made.ok) throw new Error(made.error);
  vault = made.value;
  world = createWorld();
  signer = await createSigner("k1");
});

const serverOf = (agent_authentication: AgentAuthentication, more: Partial<Server> = {}): Server => ({
  ...{ id: "s1", slug: "up", name: "up", url: "https://up.test/mcp", enabled: true, timeout_ms: 1_000 },
  ...{ authentication: { type: "none" }, credential: null, outbound_headers: [], header_secrets: null },
  ...{ revision: 1, authentication_revision: 1 },
  ...{ inbound_headers: { forward: null, restrict: [] }, access: { everyone: true, groups: [] }, agent_authentication },
  ...more,
});

const snapshotOf = (server: Server): Snapshot => ({
  ...{ tenant: "t", version: 1, loaded_at: 0, initialised: true, settings: defaultSettings },
  servers: new Map([[server.slug, server]]),
  ...{ clients: new Map(), tokens: new Map(), tokensById: new Map(), verificationKeys: new Map() },
  ...{ revocations: new Map(), revokedBefore: 0 },
});

const open: AgentAuthentication = { type: "passthrough", anonymous: "allow" };
const closed: AgentAuthentication = { type: "passthrough", anonymous: "deny" };
const paid: AgentAuthentication = { type: "passthrough", anonymous: "allow_with_credential" };
const signed = (): AgentAuthentication => ({
  ...{ type: "passthrough", anonymous: "deny" },
  jwt: { jwks: { keys: [signer.jwk as JsonObject] } },
});

async function admit(
  server: Server,
  headers: Record<string, string>,
  mode: "enterprise" | "development" = "enterprise",
): Promise<Principal> {
  const passthrough: PassthroughDoor = {
    server,
    inquirer: world.inquirer,
    digest: (value) => vault.digest("t", value),
    reaches: () => true,
  };
  const door = { origin, path: `/mcp/${server.slug}`, renew: () => Promise.resolve(undefined), passthrough };
  const admitted = await admitClient(mode, snapshotOf(server), new Headers(headers), door, world.clock.now());
  if (!admitted.ok) throw new Error(admitted.error.reason);
  return admitted.value;
}

const jwt = async (more: Record<string, unknown> = {}): Promise<{ authorization: string }> => {
  const exp = Math.floor(world.clock.now() / 1000) + 600;
  return { authorization: `Bearer ${await sign(signer, { iss: "https://i.test", aud: "a", sub: "u", exp, ...more })}` };
};

describe("the name of a guest", () => {
  it("A6: is that of all anonymous callers of the server", async () => {
    const [one, other] = [await admit(serverOf(open), {}), await admit(serverOf(open), { authorization: "Bearer a" })];
    expect([one.id, other.id, one.agent, one.kind]).toEqual([
      "anonymous:s1",
      "anonymous:s1",
      "anonymous:up",
      "anonymous",
    ]);
  });

  it("A7: is one for issuer and subject, and outlives the token", async () => {
    const server = serverOf(signed());
    const one = await admit(server, await jwt());
    expect(one.id).toMatch(/^passthrough:s1:[A-Za-z0-9_-]{22}$/);
    expect((await admit(server, await jwt({ jti: "another" }))).id).toBe(one.id);
    expect((await admit(server, await jwt({ sub: "v" }))).id).not.toBe(one.id);
    expect((await admit(server, await jwt({ iss: "https://j.test" }))).id).not.toBe(one.id);
  });

  it("A7: is each token's own where there is no subject", async () => {
    const server = serverOf(signed());
    const [one, other] = [
      await admit(server, await jwt({ sub: undefined })),
      await admit(server, await jwt({ sub: undefined, jti: "b" })),
    ];
    expect([one.id === other.id, one.subject]).toEqual([false, undefined]);
  });
});

describe("the holder", () => {
  const holder = async (headers: Record<string, string>, server = serverOf(open)) =>
    (await admit(server, headers)).holder;

  it("A6: tells two callers apart by what they bring, and nothing of it", async () => {
    const bring = { authorization: "Bearer canary-authorization", "x-api-key": "canary-key" };
    const first = await holder(bring);
    expect(await holder(bring)).toBe(first);
    expect(first).not.toContain("canary");
    const others = [
      { ...bring, authorization: "Bearer b" },
      { ...bring, "x-api-key": "b" },
      { authorization: bring.authorization },
      { "x-api-key": "canary-key" },
    ];
    const holders = await Promise.all(others.map((headers) => holder(headers)));
    expect(new Set([first, ...holders]).size).toBe(5);
  });

  it("A6: is none where nothing is brought, or nothing goes on", async () => {
    expect(await holder({})).toBeUndefined();
    expect(
      await holder({ "x-a": "1" }, serverOf(open, { inbound_headers: { forward: [], restrict: [] } })),
    ).toBeUndefined();
    expect(
      await holder({ "x-a": "1" }, serverOf(open, { inbound_headers: { forward: null, restrict: ["x-*"] } })),
    ).toBeUndefined();
  });

  it("A6: does not change with what changes from one request to the next", async () => {
    const [one, other] = [
      await holder({
        "x-api-key": "a",
        "x-request-id": "1",
        "x-b3-traceid": "1",
        "user-agent": "a/1",
        "mcp-method": "ping",
      }),
      await holder({
        "x-api-key": "a",
        "x-request-id": "2",
        x_correlation_id: "2",
        "user-agent": "b/2",
        "mcp-method": "tools/list",
      }),
    ];
    expect(one).toBe(other);
  });

  it("A6: is made under a key, so that a guess at a short secret proves nothing", async () => {
    const elsewhere = await createVault(freshKeys(), systemPorts);
    if (!elsewhere.ok) throw new Error(elsewhere.error);
    const value = JSON.stringify(["passthrough-holder", "Bearer a", []]);
    expect(await holder({ authorization: "Bearer a" })).toBe(await vault.digest("t", value));
    expect(await elsewhere.value.digest("t", value)).not.toBe(await vault.digest("t", value));
  });
});

describe("the organisation's credential", () => {
  const client: Principal = { id: "client:c", kind: "client", agent: "c" };
  const user: Principal = {
    id: "user:u",
    kind: "user",
    agent: "c",
    user: { id: "u", email_verified: false, groups: new Set(), chosen: new Set() },
  };
  const developer: Principal = { id: "development", kind: "development", agent: "development" };

  it("A6: is for everybody whom Gatehouse knows", () => {
    for (const principal of [client, user, developer])
      for (const rule of [open, closed, paid, signed(), { type: "any" } as const])
        expect(mayUseOrganisation(principal, serverOf(rule))).toBe(true);
  });

  it("A6: is for anonymous callers only where an administrator said so, and at that server", async () => {
    const anonymous = await admit(serverOf(paid), {});
    const allowed = [
      paid,
      open,
      closed,
      { ...signed(), anonymous: "allow_with_credential" } as AgentAuthentication,
      { type: "any" } as const,
    ];
    expect(allowed.map((rule) => mayUseOrganisation(anonymous, serverOf(rule)))).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
    expect(mayUseOrganisation(anonymous, serverOf(paid, { id: "s2" }))).toBe(false);
  });

  it("A7: is for those with the JWT that was asked for, and at that server", async () => {
    const caller = await admit(serverOf(signed()), await jwt());
    expect([signed(), open, paid].map((rule) => mayUseOrganisation(caller, serverOf(rule)))).toEqual([
      true,
      false,
      false,
    ]);
    expect(mayUseOrganisation(caller, serverOf(signed(), { id: "s2" }))).toBe(false);
  });
});

describe("an admission that goes on", () => {
  const stands = (principal: Principal, server: Server) =>
    stillAdmitted(principal, snapshotOf(server), world.clock.now());

  it("A6: ends with any change of the rule, with the server and with its switch", async () => {
    const anonymous = await admit(serverOf(open), {});
    expect(stands(anonymous, serverOf({ ...open }))).toBe(true);
    for (const server of [
      serverOf(closed),
      serverOf(paid),
      serverOf({ type: "any" }),
      serverOf(open, { id: "s2" }),
      serverOf(open, { enabled: false }),
      serverOf(open, { slug: "b" }),
    ])
      expect(stands(anonymous, server)).toBe(false);
  });

  it("A7: ends with the token, and with another rule for tokens", async () => {
    const caller = await admit(serverOf(signed()), await jwt());
    expect(stands(caller, serverOf(signed()))).toBe(true);
    expect(stillAdmitted(caller, snapshotOf(serverOf(signed())), world.clock.now() + 3_600_000)).toBe(false);
    const narrower = { ...signed(), jwt: { jwks_url: "https://i.test/keys" } } as AgentAuthentication;
    expect(stands(caller, serverOf(narrower))).toBe(false);
  });
});

describe("development mode", () => {
  it("R1: nobody is asked who they are, and the caller's own Authorization goes on", async () => {
    for (const rule of [open, closed, signed()]) {
      const principal = await admit(serverOf(rule), { authorization: "Bearer mine" }, "development");
      expect([principal.id, principal.passthrough?.authorization]).toEqual(["development", "Bearer mine"]);
    }
  });

  it("PL-15: but no token of ours", async () => {
    const { token } = await mintToken(systemPorts.random, "client");
    await expect(admit(serverOf(open), { authorization: `Bearer ${token}` }, "development")).rejects.toThrow(
      "token_misplaced",
    );
  });
});

describe("a token of ours", () => {
  it("PL-15: is found wherever it stands", async () => {
    const kinds = await Promise.all(
      (["client", "administrator", "secret"] as const).map((kind) => mintToken(systemPorts.random, kind)),
    );
    const around = fc.stringMatching(/^[ -~]{0,20}$/).filter((text) => !/[A-Za-z0-9_-]$|^[A-Za-z0-9_-]/.test(text));
    fc.assert(
      fc.property(around, around, fc.constantFrom(...kinds.map(({ token }) => token)), (before, after, token) => {
        expect(holdsOwnToken(`${before}${token}${after}`, new Set([origin]))).toBe(true);
      }),
      { seed: 20261121 },
    );
  });

  it.each([
    "ghs_16C7e42F292c6912E7710c838347Ae178B4a",
    `ghr_${"a".repeat(76)}`,
    `ghs_${"a".repeat(520)}`,
    `ghc_${"a".repeat(42)}`,
    `ghc_${"a".repeat(44)}`,
    `xghc_${"a".repeat(43)}`,
    "eyJhbGciOiJFUzI1NiJ9.bm8.c2ln",
    "eyJhbGciOiJFUzI1NiJ9.bnVsbA.c2ln",
    "Basic !!!",
    "",
  ])("PL-15: is not %s", (text) => {
    expect(holdsOwnToken(text, new Set([origin]))).toBe(false);
  });

  it("PL-15: is looked for in one reading, whatever the text is", () => {
    const texts = [
      "eyJ".repeat(5_000),
      "eyJ.".repeat(4_000),
      `eyJ${"a.".repeat(8_000)}`,
      "ghr_.".repeat(3_000),
      `ghr_${".".repeat(16_000)}`,
    ];
    for (let turn = 0; turn < 20; turn++)
      for (const text of texts) expect(holdsOwnToken(text, new Set([origin]))).toBe(false);
  });

  it("HD-11: nor are two Authorization headers looked for in more than one", async () => {
    const texts = [
      `a "${'\\"'.repeat(8_000)}`,
      `a "${'\\"'.repeat(8_000)}\\`,
      `a ${'"'.repeat(16_000)}`,
      `a ${",".repeat(16_000)}`,
      `a ${", b ".repeat(4_000)}=`,
      `a,${" ".repeat(16_000)}=`,
    ];
    for (let turn = 0; turn < 20; turn++)
      for (const authorization of texts)
        expect((await admit(serverOf(open), { authorization })).kind).toBe("anonymous");
  });
});
