import { describe, expect, it } from "vitest";
import * as bindings from "../../../src/vault/bindings.ts";
import type { Binding } from "../../../src/vault/index.ts";
import { randomKey, vaultOf } from "./support.ts";

const vault = await vaultOf(`k1:${randomKey()}`);
const tampered = { ok: false, error: { code: "unavailable", reason: "vault_tamper" } };

const connection = {
  ...{ id: "n1", user_id: "u1", target: "s1", account: "default" },
  ...{ issuer: "https://as.example.com", token_endpoint: "https://as.example.com/token" },
};
const client = { server_id: "s1", issuer: "https://as.example.com", token_endpoint: "https://as.example.com/token" };

/** Where something was sealed, and every other place that somebody with the database could move it to. */
const moves: readonly (readonly [string, Binding, Binding])[] = [
  ...(Object.keys(connection) as (keyof typeof connection)[]).map(
    (member) =>
      [
        `a connection, to another ${member}`,
        bindings.connectionBinding("a", connection, 2),
        bindings.connectionBinding("a", { ...connection, [member]: "other" }, 2),
      ] as const,
  ),
  ...(Object.keys(client) as (keyof typeof client)[]).map(
    (member) =>
      [
        `an upstream client, to another ${member}`,
        bindings.upstreamClientBinding("a", client, 2),
        bindings.upstreamClientBinding("a", { ...client, [member]: "other" }, 2),
      ] as const,
  ),
  ...(
    [
      ["a connection", (tenant, revision) => bindings.connectionBinding(tenant, connection, revision)],
      ["an upstream client", (tenant, revision) => bindings.upstreamClientBinding(tenant, client, revision)],
      ["a stored credential", (tenant, revision) => bindings.storedCredentialBinding(tenant, "x", revision)],
      ["header secrets", (tenant, revision) => bindings.serverHeaderSecretsBinding(tenant, "x", revision)],
      ["a server's credential", (tenant, revision) => bindings.serverCredentialBinding(tenant, "x", revision)],
      ["a provider's secret", (tenant, revision) => bindings.providerCredentialBinding(tenant, "x", revision)],
    ] satisfies readonly (readonly [string, (tenant: string, revision: number) => Binding])[]
  ).flatMap(([what, at]) => [
    [`${what}, to another tenant`, at("a", 2), at("b", 2)] as const,
    [`${what}, to the next revision`, at("a", 2), at("a", 3)] as const,
  ]),
  [
    "a stored credential, to another one",
    bindings.storedCredentialBinding("a", "x", 2),
    bindings.storedCredentialBinding("a", "y", 2),
  ],
  [
    "header secrets, to another server",
    bindings.serverHeaderSecretsBinding("a", "x", 2),
    bindings.serverHeaderSecretsBinding("a", "y", 2),
  ],
  ["a link attempt, to another one", bindings.linkAttemptBinding("a", "x"), bindings.linkAttemptBinding("a", "y")],
  ["a link attempt, to another tenant", bindings.linkAttemptBinding("a", "x"), bindings.linkAttemptBinding("b", "x")],
];

describe("VT-03 and VT-04 where a record stands", () => {
  it.each(moves)("VT-03: %s, it does not open", async (_what, from, to) => {
    const sealed = await vault.seal(from, "s3cret");
    expect(await vault.open(from, sealed)).toEqual({ ok: true, value: "s3cret" });
    expect(await vault.open(to, sealed)).toEqual(tampered);
  });

  it.each(moves)("VT-03: %s, a change of keys does not make it good", async (_what, from, to) => {
    const sealed = await vault.seal(from, "s3cret");
    expect(await vault.reseal(to, sealed)).toEqual(tampered);
  });

  it.each(["", ",", "|", "/", ":", "\u0000", '","', "\\"])(
    "VT-03: parts of a row do not run together, whatever stands between them: %j",
    (between) => {
      const [one, other] = [
        { id: `a${between}b`, user_id: "c" },
        { id: "a", user_id: `b${between}c` },
      ].map((parts) => bindings.connectionBinding("a", { ...connection, ...parts }, 1).record);
      expect(one).not.toBe(other);
      const [first, second] = [
        { server_id: `a${between}b`, issuer: "c" },
        { server_id: "a", issuer: `b${between}c` },
      ].map((parts) => bindings.upstreamClientBinding("a", { ...client, ...parts }, 1).record);
      expect(first).not.toBe(second);
    },
  );

  it("VT-11: no kind of record opens as another, though it stands at the same place", async () => {
    const kinds: readonly Binding[] = [
      bindings.serverCredentialBinding("a", "x", 0),
      bindings.serverHeaderSecretsBinding("a", "x", 0),
      bindings.providerCredentialBinding("a", "x", 0),
      bindings.storedCredentialBinding("a", "x", 0),
      bindings.signingKeyBinding("a", "x"),
      bindings.linkAttemptBinding("a", "x"),
      bindings.refreshSuccessorBinding("a", "x", 0),
      bindings.connectionBinding("a", connection, 0),
      bindings.upstreamClientBinding("a", client, 0),
    ];
    // Every function of the file: a new kind has to be added here.
    expect(kinds).toHaveLength(Object.keys(bindings).length);
    expect(new Set(kinds.map(({ purpose }) => purpose)).size).toBe(kinds.length);
    for (const from of kinds) {
      const sealed = await vault.seal(from, "s3cret");
      for (const to of kinds) {
        // With the record of the one and the purpose of the other: only the key differs.
        const moved = { ...from, purpose: to.purpose };
        expect((await vault.open(moved, sealed)).ok).toBe(to === from);
      }
    }
  });
});

describe("VT-05 the same text under the current key", () => {
  const at = bindings.storedCredentialBinding("a", "x", 1);

  it("VT-05: what is under the current key already is not sealed again", async () => {
    expect(await vault.reseal(at, await vault.seal(at, "s3cret"))).toEqual({ ok: true, value: undefined });
  });

  it("VT-02: what is under the current key and does not open is said to", async () => {
    const sealed = await vault.seal({ ...at, revision: 2 }, "s3cret");
    expect(await vault.reseal(at, sealed)).toEqual(tampered);
  });

  it("VT-05: what is under a key that nobody has is said to", async () => {
    const other = await vaultOf(`k9:${randomKey()}`);
    const failed = { ok: false, error: { code: "unavailable", reason: "vault_key_unknown" } };
    expect(await vault.reseal(at, await other.seal(at, "s3cret"))).toEqual(failed);
  });

  it("VT-09: a printed vault shows ids of keys only", async () => {
    const key = randomKey();
    const printed = JSON.stringify(await vaultOf(`k2:${key} k1:${randomKey()}`));
    expect(JSON.parse(printed)).toEqual({ keys: { current: "k2", all: ["k2", "k1"] } });
    expect(printed).not.toContain(key);
  });
});
