import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { sha256 } from "../../../src/sha256.ts";
import { failure } from "../../../src/errors.ts";
import { ok } from "../../../src/ports.ts";
import { harness, setupSecret, unavailable } from "./harness.ts";

const fresh = { initialised: false, principal: undefined, admissionFailure: failure("unauthenticated") };

const setUp = z.object({
  tenant: z.string(),
  token: z.object({ id: z.string(), token: z.string(), expires_at: z.number() }),
});

const tokenRows = (tenant: string) =>
  env.DB.prepare("select id, hash, kind, expires_at from tokens where tenant_id = ?").bind(tenant).all();

describe("R1 set-up", () => {
  it("R1: the secret of the deployment yields the first administrator token", async () => {
    const admin = await harness(fresh);
    const answer = await admin.post("/setup", { secret: setupSecret });
    expect(answer.status).toBe(201);
    const { tenant, token } = setUp.parse(answer.body);
    expect(tenant).toBe(admin.tenant);
    expect(token.token).toMatch(/^gha_[A-Za-z0-9_-]{43}$/);
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  it("R1: only the hash of the token is stored", async () => {
    const admin = await harness(fresh);
    const { token } = setUp.parse((await admin.post("/setup", { secret: setupSecret })).body);
    const { results } = await tokenRows(admin.tenant);
    expect(results).toEqual([
      {
        id: token.id,
        hash: await sha256(token.token),
        kind: "administrator",
        expires_at: token.expires_at,
      },
    ]);
  });

  it("AD-15: set-up is announced and recorded once, without the secret", async () => {
    const admin = await harness(fresh);
    const { token } = setUp.parse((await admin.post("/setup", { secret: setupSecret, name: "first" })).body);
    expect(admin.announced_count).toBe(1);
    expect(admin.events).toEqual([
      expect.objectContaining({
        action: "setup.complete",
        actor: { agent: `administrator:${token.id}` },
        fields: ["name"],
        outcome: "ok",
      }),
    ]);
  });

  it("AD-21: of 50 parallel set-ups exactly one succeeds", async () => {
    const admin = await harness(fresh);
    const answers = await Promise.all(Array.from({ length: 50 }, () => admin.post("/setup", { secret: setupSecret })));
    const statuses = answers.map(({ status }) => status).toSorted();
    expect(statuses).toEqual([201, ...Array.from({ length: 49 }, () => 409)]);
    expect((await tokenRows(admin.tenant)).results).toHaveLength(1);
  });

  it("AD-21: a second set-up is refused", async () => {
    const admin = await harness(fresh);
    await admin.post("/setup", { secret: setupSecret });
    expect((await admin.post("/setup", { secret: setupSecret })).status).toBe(409);
  });

  it("AD-21: one tenant's set-up leaves the other's open", async () => {
    const a = await harness(fresh);
    const b = await harness(fresh);
    await a.post("/setup", { secret: setupSecret });
    expect((await b.post("/setup", { secret: setupSecret })).status).toBe(201);
  });

  it.each([
    ["another secret", "A7Zr1uVx9Kd3Wm5Tb8Ys2Hn6Jc4Lf0Pg"],
    ["a prefix of it", setupSecret.slice(0, -1)],
    ["it and more", `${setupSecret}x`],
    ["another case", setupSecret.toLowerCase()],
  ])("AD-21: %s is refused with 401 and nothing is stored", async (_name, secret) => {
    const admin = await harness(fresh);
    const answer = await admin.post("/setup", { secret });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect((await tokenRows(admin.tenant)).results).toEqual([]);
  });

  it("AD-21: a wrong secret does not learn whether the tenant is set up", async () => {
    const admin = await harness(fresh);
    await admin.post("/setup", { secret: setupSecret });
    expect((await admin.post("/setup", { secret: "wrong" })).status).toBe(401);
  });

  it("R1: without a configured secret set-up is closed and says what to do", async () => {
    const admin = await harness({ ...fresh, setupSecret: undefined });
    const answer = await admin.post("/setup", { secret: setupSecret });
    expect(answer.status).toBe(403);
    expect(answer.body.detail).toContain("GATEHOUSE_SETUP_SECRET");
  });

  it("R1: development mode needs no set-up", async () => {
    const admin = await harness({ ...fresh, mode: "development" });
    expect((await admin.post("/setup", { secret: setupSecret })).status).toBe(409);
  });

  it.each([
    "change-me-change-me-change-me-0123456789",
    "replace_me_with_a_real_secret_of_32_chars",
    "example-secret-example-secret-0123",
    "your-setup-secret-goes-here-please-xyz",
    "00000000000000000000000000000000",
    "abcabcabcabcabcabcabcabcabcabcabcabc",
  ])("AD-20: the example value %s is refused even when it is presented", async (secret) => {
    const admin = await harness({ ...fresh, setupSecret: secret });
    const answer = await admin.post("/setup", { secret });
    expect(answer.status).toBe(403);
    expect((await tokenRows(admin.tenant)).results).toEqual([]);
  });

  it.each(["/servers", "/clients", "/tokens", "/settings", "/events", "/nothing"])(
    "R1: before set-up GET %s answers 401 and names the way",
    async (path) => {
      const answer = await (await harness(fresh)).get(path);
      expect(answer.status).toBe(401);
      expect(answer.body.detail).toContain("POST /api/v1/setup");
    },
  );

  it("R1: before set-up not even an administrator's token works", async () => {
    const admin = await harness({ initialised: false });
    expect((await admin.post("/servers", { slug: "x", url: "https://mcp.example.com/" })).status).toBe(401);
  });

  it("S5: a set-up that cannot be recorded is taken back and can be repeated", async () => {
    const admin = await harness(fresh);
    admin.recording = unavailable;
    const refused = await admin.post("/setup", { secret: setupSecret });
    expect(refused.status).toBe(503);
    expect(refused.body.detail).toContain("taken back");
    expect((await tokenRows(admin.tenant)).results).toEqual([]);
    admin.recording = ok(undefined);
    expect((await admin.post("/setup", { secret: setupSecret })).status).toBe(201);
  });

  it("R1: with an Idempotency-Key the answer of a set-up that got lost comes again", async () => {
    const admin = await harness(fresh);
    const key = { "idempotency-key": "set-up-1" };
    const first = await admin.post("/setup", { secret: setupSecret }, key);
    const again = await admin.post("/setup", { secret: setupSecret }, key);
    expect(again.status).toBe(201);
    expect(again.text).toBe(first.text);
  });

  it("AD-21: a remembered set-up is not replayed to a wrong secret", async () => {
    const admin = await harness(fresh);
    const key = { "idempotency-key": "set-up-1" };
    await admin.post("/setup", { secret: setupSecret }, key);
    expect((await admin.post("/setup", { secret: "wrong" }, key)).status).toBe(401);
  });
});
