import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exchange, refresh } from "../../../../src/connections/oauth/index.ts";
import type { Party } from "../../../../src/connections/types.ts";
import { createUsual, errorOf, valueOf, type FakeServer, type World } from "./support.ts";

const party: Party = {
  ...{ issuer: "https://as.test", token_endpoint: "https://as.test/token", client_id: "c", names_issuer: false },
  ...{ client_authentication: "client_secret_basic", secret: { client_secret: "canary-secret" } },
  ...{ resource: "https://mcp.up.test/mcp", how: "configured" },
};

let kept: (World & { readonly provider: FakeServer }) | undefined;

async function answered(answer: () => Response, subject = party) {
  kept ??= await createUsual();
  kept.provider.answer = answer;
  const asked_at = kept.now();
  const result = await refresh(kept.base, subject, "canary-refresh");
  return { result, asked_at, logged: kept.logged };
}

const json =
  (body: unknown, status = 200, headers = {}): (() => Response) =>
  () =>
    Response.json(body, { status, headers });
const text =
  (body: string, type: string, status = 200): (() => Response) =>
  () =>
    new Response(body, { status, headers: { "content-type": type } });
const at = { access_token: "at", token_type: "Bearer" };

describe("UP-15: what vendors answer, and is taken", () => {
  const taken: readonly (readonly [name: string, answer: () => Response, scope: string | null])[] = [
    ["the standard's", json({ ...at, expires_in: 3600, scope: "a b" }), "a b"],
    ["no token_type", json({ access_token: "at" }), null],
    ["token_type in small letters", json({ ...at, token_type: "bearer" }), null],
    ["Slack: a person's", json({ ok: true, access_token: "at", token_type: "user", scope: "a,b" }), "a b"],
    [
      "Slack: one level deeper",
      json({ ok: true, authed_user: { id: "U", access_token: "at", token_type: "user", scope: "a,b" } }),
      "a b",
    ],
    ["GitHub: commas", json({ ...at, scope: "repo,gist" }), "repo gist"],
    [
      "GitHub: a form",
      text("access_token=at&scope=repo%2Cgist&token_type=bearer", "application/x-www-form-urlencoded; charset=utf-8"),
      "repo gist",
    ],
    ["a list of scopes", json({ ...at, scope: ["a", "b"] }), "a b"],
    ["an empty scope", json({ ...at, scope: "" }), ""],
    ["null for nothing", json({ ...at, refresh_token: null, expires_in: null, scope: null, id_token: null }), null],
    ["201", json(at, 201), null],
    ["JSON as text", text(JSON.stringify(at), "text/plain"), null],
  ];
  for (const [name, answer, scope] of taken) {
    it(`${name}`, async () => {
      const got = valueOf((await answered(answer)).result);
      expect(got.tokens.access_token).toBe("at");
      expect(got.scope).toBe(scope);
    });
  }
});

describe("UP-15: how long a token lives", () => {
  const year_ms = 366 * 24 * 3600 * 1000;
  const lives: readonly (readonly [told: unknown, life_ms: number | null])[] = [
    [3600, 3_600_000],
    ["3600", 3_600_000],
    [0.5, 500],
    [1e20, year_ms],
    ["1e20", year_ms],
    ["", null],
    [0, null],
    [-5, null],
    ["soon", null],
    [undefined, null],
  ];
  for (const [expires_in, life_ms] of lives) {
    it(`expires_in ${JSON.stringify(expires_in)}`, async () => {
      const { result, asked_at } = await answered(json({ ...at, expires_in }));
      const { expires_at } = valueOf(result).tokens;
      if (life_ms === null || expires_at === null) expect(expires_at).toBe(life_ms);
      // Real time passes between the two looks at the clock.
      else expect(Math.abs(expires_at - asked_at - life_ms)).toBeLessThan(1000);
    });
  }
});

describe("UP-15, UP-16: what is a failure", () => {
  const wrong = (reason: string) => ({ kind: "wrong", reason });
  const dead = (reason: string) => ({ kind: "dead", reason });
  const passing = (reason: string) => ({ kind: "passing", reason });
  const failures: readonly (readonly [name: string, answer: () => Response, error: object])[] = [
    ["200 with a page", text("<html>", "text/html"), wrong("token_answer_type")],
    ["200 with nothing", text("", "application/json"), wrong("token_not_json")],
    ["an array", json([]), wrong("token_not_an_object")],
    [
      "duplicate keys",
      text('{"access_token":"a","access_token":"b"}', "application/json"),
      wrong("token_duplicate_key"),
    ],
    [
      "duplicate fields",
      text("access_token=a&access_token=b", "application/x-www-form-urlencoded"),
      wrong("token_duplicate_key"),
    ],
    ["token_type mac", json({ ...at, token_type: "mac" }), wrong("token_type")],
    ["token_type DPoP", json({ ...at, token_type: "DPoP" }), wrong("token_type")],
    ["token_type N_A", json({ ...at, token_type: "N_A" }), wrong("token_type")],
    ["no access token", json({ token_type: "Bearer" }), wrong("token_answer_invalid")],
    ["a line break in it", json({ ...at, access_token: "a\r\nX: y" }), wrong("token_answer_invalid")],
    ["a space in it", json({ ...at, access_token: "a b" }), wrong("token_answer_invalid")],
    ["no text", json({ ...at, access_token: 7 }), wrong("token_answer_invalid")],
    ["a refresh token that is no text", json({ ...at, refresh_token: {} }), wrong("token_answer_invalid")],
    ["expires_in of another type", json({ ...at, expires_in: {} }), wrong("token_answer_invalid")],
    ["17 KB of token", json({ ...at, access_token: "a".repeat(17_000) }), wrong("token_answer_invalid")],
    [
      "17 KB of two tokens",
      json({ ...at, access_token: "a".repeat(9000), refresh_token: "a".repeat(9000) }),
      wrong("token_answer_invalid"),
    ],
    ["5 KB of scope", json({ ...at, scope: "a".repeat(5000) }), wrong("token_answer_invalid")],
    ["a megabyte", json({ ...at, x: "y".repeat(1_000_000) }), wrong("token_response_too_large")],
    ["invalid_grant", json({ error: "invalid_grant" }, 400), dead("invalid_grant")],
    ["invalid_grant in 200", json({ error: "invalid_grant" }), dead("invalid_grant")],
    ["invalid_token", json({ error: "invalid_token" }, 401), dead("invalid_token")],
    ["GitHub: bad_refresh_token in 200", json({ error: "bad_refresh_token" }), dead("invalid_grant")],
    [
      "GitHub: the same as a form",
      text("error=bad_refresh_token", "application/x-www-form-urlencoded"),
      dead("invalid_grant"),
    ],
    ["Slack: invalid_refresh_token in 200", json({ ok: false, error: "invalid_refresh_token" }), dead("invalid_grant")],
    ["an error with a token", json({ ...at, error: "invalid_grant" }), dead("invalid_grant")],
    ["invalid_client", json({ error: "invalid_client" }, 401), wrong("invalid_client")],
    ["unauthorized_client", json({ error: "unauthorized_client" }, 400), wrong("unauthorized_client")],
    ["GitHub: incorrect_client_credentials", json({ error: "incorrect_client_credentials" }), wrong("invalid_client")],
    ["invalid_request", json({ error: "invalid_request" }, 400), wrong("invalid_request")],
    ["invalid_scope", json({ error: "invalid_scope" }, 400), wrong("invalid_scope")],
    ["a word that nobody knows", json({ error: "canary <b>" }, 400), wrong("token_refused")],
    ["a word of the prototype", json({ error: "constructor" }, 400), wrong("token_refused")],
    ["400 without a word", text("no", "text/plain", 400), wrong("token_refused")],
    ["401 without a word", () => new Response(null, { status: 401 }), wrong("token_refused")],
    ["204", () => new Response(null, { status: 204 }), wrong("token_refused")],
    ["500", text("no", "text/plain", 500), passing("token_status")],
    ["503 that says invalid_grant", json({ error: "invalid_grant" }, 503), passing("token_status")],
    ["429 that says invalid_grant", json({ error: "invalid_grant" }, 429), passing("token_status")],
    ["temporarily_unavailable", json({ error: "temporarily_unavailable" }, 400), passing("token_unavailable")],
    ["Slack: ratelimited", json({ ok: false, error: "ratelimited" }), passing("token_rate")],
    [
      "a broken connection",
      () => {
        throw new TypeError("reset");
      },
      passing("token_network_error"),
    ],
  ];
  for (const [name, answer, error] of failures) {
    it(`${name}`, async () => {
      const { result, logged } = await answered(answer);
      expect(errorOf(result)).toEqual(error);
      expect(JSON.stringify([result, logged])).not.toContain("canary");
    });
  }

  const waits: readonly (readonly [header: string, wait_ms: number | undefined])[] = [
    ["30", 30_000],
    ["100000", 600_000],
    ["-1", undefined],
    ["soon", undefined],
    ["0", undefined],
    ["Wed, 21 Oct 2015 07:28:00 GMT", undefined],
    ["Wed, 21 Oct 2099 07:28:00 GMT", 600_000],
  ];
  for (const [header, wait_ms] of waits) {
    it(`Retry-After ${header}`, async () => {
      const { result, asked_at } = await answered(json({}, 429, { "retry-after": header }));
      const { retry_at } = errorOf(result);
      if (wait_ms === undefined || retry_at === undefined) expect(retry_at).toBe(wait_ms);
      else expect(Math.abs(retry_at - asked_at - wait_ms)).toBeLessThan(1000);
    });
  }

  it("never throws, and an answer is a token or a reason of ours", async () => {
    const member = fc.constantFrom(
      "access_token",
      "token_type",
      "error",
      "expires_in",
      "scope",
      "refresh_token",
      "ok",
      "authed_user",
    );
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(member, fc.jsonValue({ maxDepth: 2 })),
        fc.constantFrom(200, 400, 401, 500),
        async (body, status) => {
          const { result } = await answered(json(body, status));
          if (!result.ok) expect(result.error.reason).toMatch(/^[a-z_]+$/);
          else expect(result.value.tokens.access_token).toMatch(/^[\x21-\x7e]+$/);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe("RFC 6749 section 6: refreshing", () => {
  it("keeps the old refresh token when none comes back", async () => {
    expect(valueOf((await answered(json(at))).result).tokens.refresh_token).toBe("canary-refresh");
    expect(valueOf((await answered(json({ ...at, refresh_token: "" }))).result).tokens.refresh_token).toBe(
      "canary-refresh",
    );
  });

  it("gives the new one when it rotates", async () => {
    expect(valueOf((await answered(json({ ...at, refresh_token: "r2" }))).result).tokens.refresh_token).toBe("r2");
  });

  it("drops an ID token that there is no room for, and keeps the rest", async () => {
    const got = valueOf((await answered(json({ ...at, id_token: "i".repeat(16_380), refresh_token: "r2" }))).result);
    expect(got.tokens).toMatchObject({ access_token: "at", refresh_token: "r2" });
    expect(got.tokens.id_token).toHaveLength(16_380);
    const full = valueOf((await answered(json({ ...at, id_token: "i".repeat(16_381), refresh_token: "r2" }))).result);
    expect(full.tokens.id_token).toBeUndefined();
  });

  it("UP-09: keeps the scope as it was granted, also when it is more", async () => {
    expect(valueOf((await answered(json({ ...at, scope: "a admin" }))).result).scope).toBe("a admin");
  });
});

describe("UP-09: a token that names another server", () => {
  const jwt = (claims: object): string =>
    [{ alg: "none" }, claims].map((part) => btoa(JSON.stringify(part)).replaceAll("=", "")).join(".") + ".c2ln";
  const cases: readonly (readonly [name: string, aud: unknown, warns: boolean])[] = [
    ["another host", "https://canary-other.test", true],
    ["two other hosts", ["https://one.test", "https://two.test"], true],
    ["the same host", "https://mcp.up.test", false],
    ["both", ["https://one.test", "https://mcp.up.test/mcp"], false],
    ["a client id", "4f7c9a", false],
    ["a URN", "urn:api", false],
    ["api://", "api://4f7c9a", false],
    ["nobody", undefined, false],
  ];
  for (const [name, aud, warns] of cases) {
    it(`${warns ? "is" : "is not"} told of: ${name}`, async () => {
      kept?.logged.splice(0);
      const token = jwt({ aud, sub: "canary-person" });
      const { result, logged } = await answered(json({ ...at, access_token: token }));
      expect(result.ok).toBe(true);
      expect(logged.some((line) => line.includes("token_audience"))).toBe(warns);
      expect(logged.join()).not.toContain("canary");
    });
  }
});

describe("RFC 8693: token exchange", () => {
  it("sends the subject, whom it is for, and takes what is no access token", async () => {
    kept ??= await createUsual();
    kept.provider.tokenRequests.length = 0;
    kept.provider.answer = json({
      ...at,
      token_type: "N_A",
      issued_token_type: "urn:ietf:params:oauth:token-type:jwt",
    });
    const subject_token_type = "urn:ietf:params:oauth:token-type:access_token";
    const asked = { subject_token: "sub", subject_token_type, audience: "https://api.test", scopes: ["a"] };
    expect(valueOf(await exchange(kept.base, party, asked)).tokens.access_token).toBe("at");
    expect(Object.fromEntries(kept.provider.tokenRequests[0]?.form ?? [])).toEqual({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      ...{ subject_token: "sub", subject_token_type, audience: "https://api.test", scope: "a" },
      resource: "https://mcp.up.test/mcp",
    });
  });
});
