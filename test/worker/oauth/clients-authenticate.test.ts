/** TK-09, TK-30, CR-20, P2: how a client says who it is at the token endpoint. */
import { eq } from "drizzle-orm";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { tokens } from "../../../src/db/index.ts";
import type { Visit } from "../../../src/login/index.ts";
import { limits } from "../../../src/limits.ts";
import { authenticateClient } from "../../../src/oauth/clients/index.ts";
import { toOAuthResponse } from "../../../src/oauth/oauth-error.ts";
import { addRegistered, addSecret, createWorld, origin, register, type World } from "./clients-support.ts";

interface Sent {
  readonly basic?: string;
  readonly scheme?: string;
  readonly raw?: string;
  readonly body?: Readonly<Record<string, string>> | URLSearchParams;
}

const basicOf = (pair: string): string => new TextEncoder().encode(pair).toBase64();

function authenticate(visit: Visit, { basic, scheme = "Basic", raw, body = {} }: Sent) {
  const value = raw ?? (basic === undefined ? undefined : `${scheme} ${basicOf(basic)}`);
  const headers = new Headers(value === undefined ? {} : { authorization: value });
  return authenticateClient(visit, headers, new URLSearchParams(body));
}

/** `ok`, or the reason that is for the log. */
async function outcome(visit: Visit, sent: Sent): Promise<string> {
  const result = await authenticate(visit, sent);
  return result.ok ? `ok ${result.value.id}` : `${result.error.error}: ${result.error.reason}`;
}

const newSecret = (): string => `ghs_${crypto.randomUUID()}`;

async function withSecret(authentication: "client_secret_basic" | "client_secret_post" = "client_secret_basic") {
  const world = await createWorld();
  const id = await addRegistered(world, { authentication });
  const secret = newSecret();
  return { world, id, secret, secret_id: await addSecret(world, id, secret) };
}

describe("each method", () => {
  it("P2: a public client gives its id", async () => {
    const world = await createWorld();
    const id = await addRegistered(world);
    expect(await outcome(world.visit, { body: { client_id: id } })).toBe(`ok ${id}`);
  });

  it("P2: client_secret_basic", async () => {
    const { world, id, secret } = await withSecret();
    expect(await outcome(world.visit, { basic: `${id}:${secret}`, body: { client_id: id } })).toBe(`ok ${id}`);
    expect(world.unknown).toEqual([]);
  });

  it("TK-09: the scheme of Basic is case-insensitive", async () => {
    const { world, id, secret } = await withSecret();
    expect(await outcome(world.visit, { basic: `${id}:${secret}`, scheme: "bAsIc" })).toBe(`ok ${id}`);
  });

  it("P2: both parts of Basic are form-encoded (RFC 6749 section 2.3.1)", async () => {
    const world = await createWorld();
    const id = await addRegistered(world, { authentication: "client_secret_basic" });
    const secret = `a b:c%+ü-${crypto.randomUUID()}`;
    await addSecret(world, id, secret);
    const encoded = new URLSearchParams({ s: secret }).toString().slice(2);
    expect(await outcome(world.visit, { basic: `${id}:${encoded}` })).toBe(`ok ${id}`);
  });

  it("P2: client_secret_post", async () => {
    const { world, id, secret } = await withSecret("client_secret_post");
    expect(await outcome(world.visit, { body: { client_id: id, client_secret: secret } })).toBe(`ok ${id}`);
  });

  it("P2: a client that registered itself, by the secret that it was given", async () => {
    const world = await createWorld();
    const { body } = await register(world.visit, { redirect_uris: ["https://app.test/cb"] });
    const [id, secret] = [String(body["client_id"]), String(body["client_secret"])];
    expect(await outcome(world.visit, { basic: `${id}:${secret}` })).toBe(`ok ${id}`);
    expect(await outcome(world.visit, { basic: `${id}:${secret}x` })).toBe("invalid_client: client_secret");
  });

  it("P2: private_key_jwt, without client_id as well", async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
    const world = await createWorld();
    const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: "k1", alg: "ES256" }] };
    const id = await addRegistered(world, { authentication: "private_key_jwt", jwks });
    const now = Math.floor(world.clock.now() / 1_000);
    const assertion = await new SignJWT({ jti: crypto.randomUUID() })
      .setProtectedHeader({ alg: "ES256", kid: "k1" })
      .setIssuer(id)
      .setSubject(id)
      .setAudience(origin)
      .setIssuedAt(now)
      .setExpirationTime(now + 60)
      .sign(privateKey);
    const body = {
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: assertion,
    };
    expect(await outcome(world.visit, { body })).toBe(`ok ${id}`);
    expect(await outcome(world.visit, { body })).toMatch(/^invalid_client: /);
  });

  it("A5: a client with a metadata document gives its URL", async () => {
    const world = await createWorld();
    const client_id = "https://app.example.com/client.json";
    world.publish({ client_id, client_name: "E", redirect_uris: ["https://app.example.com/cb"] });
    expect(await outcome(world.visit, { body: { client_id } })).toBe(`ok ${client_id}`);
  });
});

describe("confusion of methods", () => {
  it("TK-09: a public client that sends a secret is refused", async () => {
    const world = await createWorld();
    const id = await addRegistered(world);
    expect(await outcome(world.visit, { body: { client_id: id, client_secret: "x" } })).toBe(
      "invalid_client: client_method",
    );
  });

  it.each([
    [
      "by post",
      (id: string, secret: string): Sent => ({ body: { client_id: id, client_secret: secret } }),
      "client_method",
    ],
    ["by none", (id: string): Sent => ({ body: { client_id: id } }), "client_method"],
    [
      "by Basic and post",
      (id: string, secret: string): Sent => ({
        basic: `${id}:${secret}`,
        body: { client_id: id, client_secret: secret },
      }),
      "client_methods_many",
    ],
    [
      "by Basic and an assertion",
      (id: string, secret: string): Sent => ({ basic: `${id}:${secret}`, body: { client_assertion: "a.b.c" } }),
      "client_methods_many",
    ],
    [
      "under another id",
      (id: string, secret: string): Sent => ({ basic: `${id}:${secret}`, body: { client_id: "x" } }),
      "client_id_differs",
    ],
    ["with an empty secret", (id: string): Sent => ({ basic: `${id}:` }), "client_secret"],
    ["without a colon", (id: string): Sent => ({ basic: id }), "client_basic_malformed"],
    ["in no base64", (): Sent => ({ raw: "Basic ?" }), "client_basic_malformed"],
    ["in no UTF-8", (): Sent => ({ raw: "Basic /zo6/w==" }), "client_basic_malformed"],
    [
      "twice, joined by a comma",
      (id: string, s: string): Sent => ({ raw: `Basic ${basicOf(`${id}:${s}`)}, Basic ${basicOf(`${id}:${s}`)}` }),
      "client_basic_malformed",
    ],
    ["by Bearer", (): Sent => ({ raw: "Bearer abc" }), "client_basic_malformed"],
    ["with a broken escape", (id: string): Sent => ({ basic: `${id}:%zz` }), "client_basic_malformed"],
    ["without an id", (_id: string, secret: string): Sent => ({ basic: `:${secret}` }), "client_id_missing"],
    [
      "with two ids",
      (id: string, secret: string): Sent => ({
        basic: `${id}:${secret}`,
        body: new URLSearchParams([
          ["client_id", id],
          ["client_id", id],
        ]),
      }),
      "client_parameter_repeated",
    ],
    ["with the secret of another client", (id: string): Sent => ({ basic: `${id}:other` }), "client_secret"],
  ])("TK-09: a client of client_secret_basic that comes %s is refused", async (_how, sent, reason) => {
    const { world, id, secret } = await withSecret();
    expect(await outcome(world.visit, sent(id, secret))).toBe(`invalid_client: ${reason}`);
    expect(world.unknown).toEqual(["client_authentication"]);
  });

  it("TK-09: nobody at all is refused", async () => {
    const world = await createWorld();
    expect(await outcome(world.visit, {})).toBe("invalid_client: client_id_missing");
  });
});

describe("secrets that are none", () => {
  it("TK-09: a secret of another client is none", async () => {
    const { world, id } = await withSecret();
    const other = await addRegistered(world, { authentication: "client_secret_basic" });
    const secret = newSecret();
    await addSecret(world, other, secret);
    expect(await outcome(world.visit, { basic: `${id}:${secret}` })).toBe("invalid_client: client_secret");
  });

  it("TK-09: an expired one is none", async () => {
    const { world, id, secret } = await withSecret();
    world.clock.advance(60_000);
    expect(await outcome(world.visit, { basic: `${id}:${secret}` })).toBe("invalid_client: client_secret");
  });

  it("TK-09: a revoked one is none", async () => {
    const { world, id, secret, secret_id } = await withSecret();
    await world.database.update(tokens).set({ revoked_at: 1 }).where(eq(tokens.id, secret_id));
    expect(await outcome(world.visit, { basic: `${id}:${secret}` })).toBe("invalid_client: client_secret");
  });

  it("TK-09: a machine token is none", async () => {
    const { world, id, secret, secret_id } = await withSecret();
    await world.database.update(tokens).set({ kind: "client" }).where(eq(tokens.id, secret_id));
    expect(await outcome(world.visit, { basic: `${id}:${secret}` })).toBe("invalid_client: client_secret");
  });

  it("TN-01: a client of another tenant is unknown", async () => {
    const { id, secret } = await withSecret();
    const other = await createWorld();
    expect(await outcome(other.visit, { basic: `${id}:${secret}` })).toBe("invalid_client: client_unknown");
  });

  it("AS-23: a disabled client is unknown", async () => {
    const world = await createWorld();
    const id = await addRegistered(world, { authentication: "client_secret_basic" }, false);
    const secret = newSecret();
    await addSecret(world, id, secret);
    expect(await outcome(world.visit, { basic: `${id}:${secret}` })).toBe("invalid_client: client_unknown");
  });
});

describe("what a refusal tells", () => {
  const wire = async ({ visit }: World, sent: Sent) => {
    const result = await authenticate(visit, sent);
    if (result.ok) throw new Error("authenticated");
    const response = toOAuthResponse(result.error);
    return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
  };

  it("CR-20: an unknown client, a wrong secret and a wrong method get the same answer", async () => {
    const { world, id } = await withSecret();
    const post = await addRegistered(world, { authentication: "client_secret_post" });
    const unknown = await wire(world, { basic: `${crypto.randomUUID()}:x` });
    expect(await wire(world, { basic: `${id}:x` })).toEqual(unknown);
    expect(await wire(world, { basic: `${post}:x` })).toEqual(unknown);
    expect(unknown).toMatchObject({
      status: 401,
      headers: { "www-authenticate": 'Basic realm="Gatehouse"', "cache-control": "no-store" },
    });
    expect(unknown.text).not.toContain(id);
  });

  it("TK-09: where Basic was not used there is no challenge", async () => {
    const world = await createWorld();
    const { status, headers } = await wire(world, { body: { client_id: crypto.randomUUID() } });
    expect([status, headers["www-authenticate"]]).toEqual([401, undefined]);
  });

  it("TK-30: after too many failures even the right secret is held off, and then no longer", async () => {
    const { world, id, secret } = await withSecret();
    for (let n = 0; n < limits.clientFailures_count; n += 1) await authenticate(world.visit, { basic: `${id}:no` });
    const held = await wire(world, { basic: `${id}:${secret}` });
    expect(held).toMatchObject({ status: 429, headers: { "retry-after": "300" } });
    const elsewhere = await outcome(world.from("198.51.100.0/24"), { basic: `${id}:${secret}` });
    expect(elsewhere).toBe(`ok ${id}`);
    world.clock.advance(limits.clientFailures_ms);
    await addSecret(world, id, `${secret}2`);
    expect(await outcome(world.visit, { basic: `${id}:${secret}2` })).toBe(`ok ${id}`);
  });

  it("TK-30: of parallel guesses no more than the maximum learn anything", async () => {
    const { world, id } = await withSecret();
    const guesses = Array.from({ length: limits.clientFailures_count + 10 }, (_, n) =>
      outcome(world.visit, { basic: `${id}:guess-${n}` }),
    );
    const told = (await Promise.all(guesses)).filter((reason) => reason.startsWith("invalid_client"));
    expect(told).toHaveLength(limits.clientFailures_count);
  });

  it("A5: a document that cannot be had now is no wrong credential", async () => {
    const world = await createWorld();
    const body = { client_id: "https://app.example.com/client.json" };
    expect(await outcome(world.visit, { body })).toMatch(/^temporarily_unavailable: /);
    expect(world.unknown).toEqual([]);
  });
});
