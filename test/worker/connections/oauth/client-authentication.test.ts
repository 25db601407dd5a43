import { createLocalJWKSet, exportJWK, exportPKCS8, generateKeyPair, jwtVerify } from "jose";
import { describe, expect, it } from "vitest";
import { clientCredentials, refresh, revoke } from "../../../../src/connections/oauth/index.ts";
import type { Party } from "../../../../src/connections/types.ts";
import { createUsual, errorOf, valueOf } from "./support.ts";

const party: Party = {
  ...{
    issuer: "https://as.test",
    token_endpoint: "https://as.test/token",
    revocation_endpoint: "https://as.test/revoke",
  },
  ...{ client_id: "conformance-test_client.1", client_authentication: "client_secret_basic" },
  secret: { client_secret: "canary-s:e c%ret+/=~" },
  ...{ names_issuer: false, resource: "https://mcp.up.test/mcp", how: "configured" },
};

describe("RFC 6749 section 2.3.1", () => {
  it("client_secret_basic: encoded as a form, with nothing encoded that need not be", async () => {
    const world = await createUsual();
    valueOf(await refresh(world.base, party, "rt"));
    const [sent] = world.provider.tokenRequests;
    expect(atob(sent?.headers.get("authorization")?.replace("Basic ", "") ?? "")).toBe(
      "conformance-test_client.1:canary-s%3Ae+c%25ret%2B%2F%3D%7E",
    );
    expect(Object.fromEntries(sent?.form ?? [])).toEqual({
      ...{ grant_type: "refresh_token", refresh_token: "rt", resource: "https://mcp.up.test/mcp" },
    });
  });

  it("client_secret_post: in the body", async () => {
    const world = await createUsual();
    valueOf(await refresh(world.base, { ...party, client_authentication: "client_secret_post" }, "rt", "a b"));
    const [sent] = world.provider.tokenRequests;
    expect(sent?.headers.has("authorization")).toBe(false);
    expect(Object.fromEntries(sent?.form ?? [])).toMatchObject({
      ...{ client_id: party.client_id, client_secret: party.secret.client_secret, scope: "a b" },
    });
  });

  it("none: the client id alone", async () => {
    const world = await createUsual();
    valueOf(await refresh(world.base, { ...party, client_authentication: "none" }, "rt"));
    const [sent] = world.provider.tokenRequests;
    expect(sent?.form.get("client_id")).toBe(party.client_id);
    expect(`${sent?.text} ${JSON.stringify([...(sent?.headers ?? [])])}`).not.toContain("canary");
  });

  it("sends nothing without the secret that it needs", async () => {
    const world = await createUsual();
    expect(errorOf(await refresh(world.base, { ...party, secret: {} }, "rt"))).toEqual({
      kind: "wrong",
      reason: "client_secret_missing",
    });
    expect(world.sent).toEqual([]);
  });
});

describe("RFC 7523 section 2.2: private_key_jwt", () => {
  const algorithms = ["ES256", "ES384", "RS256", "PS256", "EdDSA"] as const;
  for (const algorithm of algorithms) {
    it(`${algorithm}: is addressed to the issuer, by our clock, once`, async () => {
      const world = await createUsual();
      const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
      const secret = { private_key: await exportPKCS8(privateKey), algorithm, key_id: "k1" };
      const subject = { ...party, client_authentication: "private_key_jwt" as const, secret };
      world.advance(3600_000);
      valueOf(await clientCredentials(world.base, subject, {}));
      valueOf(await clientCredentials(world.base, subject, {}));
      const [first, second] = world.provider.tokenRequests.map(({ form }) => form);
      expect(first?.get("client_assertion_type")).toBe("urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
      const keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(publicKey)), kid: "k1", alg: algorithm }] });
      const verified = await jwtVerify(first?.get("client_assertion") ?? "", keys, {
        ...{ issuer: party.client_id, subject: party.client_id, audience: party.issuer },
        currentDate: new Date(world.now()),
      });
      expect(verified.protectedHeader.alg).toBe(algorithm);
      const { exp = 0, iat = 0, jti } = verified.payload;
      expect(exp - iat).toBe(60);
      const other = await jwtVerify(second?.get("client_assertion") ?? "", keys, {
        currentDate: new Date(world.now()),
      });
      expect(other.payload.jti).not.toBe(jti);
    });
  }

  for (const kind of ["ES256", "RS256", "EdDSA", "ES384"]) {
    it(`finds out that a key is for ${kind}`, async () => {
      const world = await createUsual();
      const { privateKey, publicKey } = await generateKeyPair(kind, { extractable: true });
      const secret = { private_key: await exportPKCS8(privateKey) };
      valueOf(await clientCredentials(world.base, { ...party, client_authentication: "private_key_jwt", secret }, {}));
      const assertion = world.provider.tokenRequests[0]?.form.get("client_assertion") ?? "";
      expect((await jwtVerify(assertion, publicKey)).protectedHeader.alg).toBe(kind);
    });
  }

  for (const [private_key, reason] of [
    ["canary", "private_key_invalid"],
    ["-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----", "private_key_invalid"],
    [undefined, "private_key_missing"],
  ] as const) {
    it(`sends nothing with ${reason}`, async () => {
      const world = await createUsual();
      const secret = private_key === undefined ? {} : { private_key };
      const subject = { ...party, client_authentication: "private_key_jwt" as const, secret };
      const error = errorOf(await refresh(world.base, subject, "rt"));
      expect(error).toEqual({ kind: "wrong", reason });
      expect(world.sent).toEqual([]);
      expect(JSON.stringify([error, world.logged])).not.toContain("canary");
    });
  }
});

describe("RFC 7009: revocation", () => {
  it("tells which kind of token it is, and who we are", async () => {
    const world = await createUsual();
    expect(await revoke(world.base, party, "rt-1", "refresh_token")).toBe(true);
    const [sent] = world.provider.revocations;
    expect(Object.fromEntries(sent?.form ?? [])).toEqual({ token: "rt-1", token_type_hint: "refresh_token" });
    expect(sent?.headers.get("authorization")).toMatch(/^Basic /);
    expect(sent?.url).toBe("https://as.test/revoke");
  });

  it("is false where there is no place to tell, and nothing is sent", async () => {
    const world = await createUsual();
    const { revocation_endpoint: _none, ...without } = party;
    expect(await revoke(world.base, without, "rt-1", "refresh_token")).toBe(false);
    expect(world.sent).toEqual([]);
  });

  for (const status of [302, 400, 401, 429, 500, 503]) {
    it(`is false after ${status}`, async () => {
      const world = await createUsual();
      world.serve("https://as.test", () => new Response(null, { status, headers: { location: "https://evil.test" } }));
      expect(await revoke(world.base, party, "rt-1", "refresh_token")).toBe(false);
      expect(world.sent).toHaveLength(1);
    });
  }

  it("is false when nobody answers", async () => {
    const world = await createUsual();
    world.serve("https://as.test", () => {
      throw new TypeError("reset");
    });
    expect(await revoke(world.base, party, "rt-1", "access_token")).toBe(false);
  });
});
