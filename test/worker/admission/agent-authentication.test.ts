import { describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { agentAuthenticationSchema } from "../../../src/registry/index.ts";

const key: JsonObject = { kty: "EC", crv: "P-256", x: "a", y: "b", kid: "k1" };
const pasted = (...keys: JsonObject[]): JsonObject => ({ type: "passthrough", jwt: { jwks: { keys } } });

describe("agent authentication", () => {
  it.each<[string, JsonObject]>([
    ["any", { type: "any" }],
    ["interactive", { type: "interactive" }],
    ["machine", { type: "machine" }],
    ["passthrough with anonymous callers", { type: "passthrough", anonymous: "allow" }],
    [
      "a JWKS URL, issuer and audience",
      { type: "passthrough", jwt: { jwks_url: "https://i.test/keys", issuer: "https://i.test", audience: "a" } },
    ],
    ["pasted keys", pasted(key, { ...key, kid: "k2" })],
  ])("A7: may be %s", (_title, value) => {
    expect(agentAuthenticationSchema.safeParse(value).success).toBe(true);
  });

  it("A6: keeps anonymous callers out unless it says otherwise", () => {
    expect(agentAuthenticationSchema.parse({ type: "passthrough" })).toEqual({
      type: "passthrough",
      anonymous: "deny",
    });
  });

  it.each<[string, JsonObject]>([
    ["another kind", { type: "none" }],
    ["anonymous callers without passthrough", { type: "any", anonymous: "allow" }],
    ["another word for them", { type: "passthrough", anonymous: "yes" }],
    ["a JWT rule without keys", { type: "passthrough", jwt: { issuer: "https://i.test" } }],
    [
      "both a URL and pasted keys",
      { type: "passthrough", jwt: { jwks_url: "https://i.test/keys", jwks: { keys: [key] } } },
    ],
    ["no pasted key", pasted()],
    ["more pasted keys than there may be", pasted(...Array.from({ length: limits.pastedKeys_count + 1 }, () => key))],
    ["a key without kind", pasted({ x: "a" })],
    ["a private key", pasted({ ...key, d: "secret" })],
    ["a shared key", pasted({ kty: "oct", k: "secret" })],
    ["algorithms of its own", { type: "passthrough", jwt: { jwks_url: "https://i.test/keys", algorithms: ["none"] } }],
  ])("A7: may not be %s", (_title, value) => {
    expect(agentAuthenticationSchema.safeParse(value).success).toBe(false);
  });
});
