/** SS-01 to SS-08, SS-16, SS-21, SS-22: every URL of this room, whoever wrote it, against every address that must not be called. */
import { describe, expect, it } from "vitest";
import type { TokenFailure } from "../../../../src/connections/types.ts";
import {
  clientCredentials,
  exchange,
  headerParty,
  refresh,
  resolveParty,
  revoke,
  serviceParty,
} from "../../../../src/connections/oauth/index.ts";
import type { JsonObject, Result } from "../../../../src/ports.ts";
import { authenticationSchema } from "../../../../src/registry/index.ts";
import { refusedUrls } from "../../egress/refused-urls.ts";
import { createUsual, resourceServer, serverOf, type FakeServer, type World } from "./support.ts";

type Outcome = Result<unknown, TokenFailure> | boolean;
type Usual = World & { readonly provider: FakeServer };

const mcp = "https://mcp.up.test";
const clientSecret = { client_secret: "canary-client-secret" };
const configured = { type: "oauth", client_id: "c" };

/** What the schema of the registry refuses never gets here. */
const isSavable = (authentication: object): boolean => authenticationSchema.safeParse(authentication).success;

const resolved = async (world: Usual, authentication: JsonObject): Promise<Outcome> => {
  if (!isSavable(authentication)) return false;
  const credential = { type: "oauth", ...clientSecret } as const;
  return resolveParty(world.base, await serverOf(world, authentication, { credential }));
};

const service = async (world: Usual, more: JsonObject): Promise<Outcome> => {
  const authentication = { type: "client_credentials", client_id: "c", ...more };
  if (!isSavable(authentication)) return false;
  const credential = { type: "client_credentials", ...clientSecret } as const;
  const party = await serviceParty(world.base, await serverOf(world, authentication, { credential }));
  return party.ok ? clientCredentials(world.base, party.value, {}) : party;
};

const recipe = (url: string, source: "service_token" | "on_behalf_of") =>
  headerParty(
    source === "service_token"
      ? { source, name: "X-Up", token_endpoint: url, client_id: "c", client_authentication: "client_secret_basic" }
      : {
          ...{
            source,
            name: "X-Up",
            token_endpoint: url,
            client_id: "c",
            client_authentication: "client_secret_basic",
          },
          subject_token: "access_token",
        },
    clientSecret,
  );

/** Each place where a URL can come from; what comes back is never ok but where another place is used instead. */
const places: Readonly<
  Record<string, (world: Usual, url: string) => Promise<Result<unknown, TokenFailure> | boolean>>
> = {
  "the configured issuer": (world, issuer) => resolved(world, { ...configured, issuer }),
  "the configured authorization endpoint": (world, url) =>
    resolved(world, { ...configured, endpoints: { authorization: url, token: "https://as.test/token" } }),
  "the configured token endpoint": (world, url) =>
    resolved(world, { ...configured, endpoints: { authorization: "https://as.test/authorize", token: url } }),
  "the token endpoint of client credentials": (world, token_endpoint) => service(world, { token_endpoint }),
  "the issuer of client credentials": (world, issuer) => service(world, { issuer }),
  "the token endpoint of a header": (world, url) => clientCredentials(world.base, recipe(url, "service_token"), {}),
  "the endpoint of a token exchange": (world, url) =>
    exchange(world.base, recipe(url, "on_behalf_of"), { subject_token: "canary-subject", subject_token_type: "x" }),
  authorization_servers: (world, url) => {
    world.serve(mcp, resourceServer({ authorization_servers: [url] }));
    return resolved(world, { type: "oauth" });
  },
  "authorization_endpoint of metadata": (world, authorization_endpoint) => {
    world.provider.metadata = { authorization_endpoint };
    return resolved(world, { type: "oauth" });
  },
  "token_endpoint of metadata": (world, token_endpoint) => {
    world.provider.metadata = { token_endpoint };
    return resolved(world, { type: "oauth" });
  },
  "registration_endpoint of metadata": (world, registration_endpoint) => {
    world.provider.metadata = { registration_endpoint };
    return resolved(world, { type: "oauth" });
  },
  "revocation_endpoint of metadata": (world, revocation_endpoint) => {
    world.provider.metadata = { revocation_endpoint };
    return resolved(world, { type: "oauth" });
  },
  "the revocation endpoint of a connection": (world, revocation_endpoint) =>
    revoke(
      world.base,
      { ...recipe("https://as.test/token", "service_token"), revocation_endpoint },
      "canary-token",
      "access_token",
    ),
};

const isElsewhere = (url: string): boolean => !["https://as.test", mcp].includes(new URL(url).origin);

/** Fresh for each test in what tests change; the rest of a world is dear. */
let kept: Usual | undefined;
async function shared(): Promise<Usual> {
  kept ??= await createUsual();
  kept.sent.length = 0;
  kept.logged.length = 0;
  kept.provider.metadata = {};
  kept.serve(mcp, resourceServer({ authorization_servers: [kept.provider.issuer] }));
  return kept;
}

for (const [place, use] of Object.entries(places)) {
  describe(`SS-16, SS-21: ${place}`, () => {
    for (const [id, url] of refusedUrls) {
      it(`${id}: refuses ${url.slice(0, 60)}`, async () => {
        const world = await shared();
        const outcome = await use(world, url);
        expect(typeof outcome === "boolean" ? outcome : outcome.ok).toBe(false);
        if (typeof outcome !== "boolean" && !outcome.ok) expect(outcome.error.kind).toBe("wrong");
        expect(world.sent.filter((sent) => isElsewhere(sent.url))).toEqual([]);
        expect(JSON.stringify(world.logged)).not.toContain("canary");
      });
    }
  });
}

describe("UP-20: resource_metadata of a challenge", () => {
  for (const [id, url] of refusedUrls) {
    it(`${id}: does not ask ${url.slice(0, 60)}, and the server's own place has the word`, async () => {
      const world = await shared();

      const party = await resolveParty(world.base, await serverOf(world, { type: "oauth" }), {
        resource_metadata: url,
      });
      expect(party.ok).toBe(true);
      expect(world.sent.filter((sent) => isElsewhere(sent.url))).toEqual([]);
    });
  }
});

describe("RFC 8414 section 2: jwks_uri and the like", () => {
  it("are never called", async () => {
    const world = await createUsual();
    world.provider.metadata = { jwks_uri: "https://169.254.169.254/keys", op_policy_uri: "https://evil.test" };
    expect(await resolved(world, { type: "oauth" })).toMatchObject({ ok: true });
    expect(world.sent.filter((sent) => isElsewhere(sent.url))).toEqual([]);
  });
});

describe("SS-08, SS-22: a redirect takes no credential along", () => {
  for (const status of [301, 302, 303, 307, 308]) {
    it(`is not followed with ${status}`, async () => {
      const world = await createUsual();
      const headers = { location: "https://evil.test/token" };
      world.provider.answer = () => new Response(null, { status, headers });
      const party = recipe("https://as.test/token", "service_token");
      const outcome = await refresh(world.base, party, "canary-refresh");
      expect(outcome).toEqual({ ok: false, error: { kind: "wrong", reason: "token_redirect" } });
      expect(world.to("https://evil.test")).toEqual([]);
    });
  }
});

describe("loopback in development mode", () => {
  it("is allowed over http, where the rules of egress allow it", async () => {
    const world = await createUsual({ mode: "development", origin: "http://localhost:8911" });
    const at = "http://localhost:4000";
    world.serve("https://mcp.up.test", resourceServer({ authorization_servers: [at] }));
    const endpoints = Object.fromEntries(
      ["authorization", "token", "registration", "revocation"].map((name) => [
        `${name}_endpoint`,
        `${at}/${name.slice(0, 5)}`,
      ]),
    );
    world.serve(at, ({ url }) =>
      url.includes("well-known")
        ? Response.json({ issuer: at, ...endpoints, code_challenge_methods_supported: ["S256"] })
        : url.endsWith("/regis")
          ? Response.json({ client_id: "loop" }, { status: 201 })
          : Response.json({ access_token: "at", token_type: "bearer" }),
    );
    const party = await resolveParty(world.base, await serverOf(world, { type: "oauth" }));
    if (!party.ok) throw new Error(party.error.reason);
    expect(party.value.client_id).toBe("loop");
    expect((await refresh(world.base, party.value, "rt")).ok).toBe(true);
    expect(await revoke(world.base, party.value, "rt", "refresh_token")).toBe(true);
  });
});
