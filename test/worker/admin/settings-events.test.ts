import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { harness, unavailable, type Harness } from "./harness.ts";

const registration = { documents: "any", document_domains: [], document_loopback: true, dynamic: true };

describe("R4 settings", () => {
  it("R4: an untouched tenant has the defaults", async () => {
    const admin = await harness();
    expect((await admin.get("/settings")).body).toEqual({
      audit_strict: false,
      allowed_origins: [],
      instructions: "merge",
      vault_sealed: false,
      registration,
    });
  });

  it("R4: a change leaves what it does not name", async () => {
    const admin = await harness();
    await admin.patch("/settings", { audit_strict: true });
    await admin.patch("/settings", { allowed_origins: ["https://app.example.com"] });
    expect((await admin.get("/settings")).body).toEqual({
      audit_strict: true,
      allowed_origins: ["https://app.example.com"],
      instructions: "merge",
      vault_sealed: false,
      registration,
    });
  });

  it("A5: of the rules of registration only the named members change", async () => {
    const admin = await harness();
    await admin.patch("/settings", { registration: { documents: "domains", document_domains: ["example.com"] } });
    const { body } = await admin.patch("/settings", { registration: { dynamic: false } });
    expect(body.registration).toEqual({
      documents: "domains",
      document_domains: ["example.com"],
      document_loopback: true,
      dynamic: false,
    });
    expect(admin.events.at(-1)?.fields).toEqual(["registration.dynamic"]);
  });

  it("R1: settings of development mode do not initialise the tenant", async () => {
    const admin = await harness({ mode: "development" });
    await admin.patch("/settings", { audit_strict: true });
    const row = await env.DB.prepare("select initialised_at from tenants where id = ?").bind(admin.tenant).first();
    expect(row).toEqual({ initialised_at: 0 });
  });

  it.each([
    ["an unknown member", { audit: true }, "audit"],
    ["another type", { audit_strict: "yes" }, "audit_strict"],
    ["another choice", { instructions: "some" }, "instructions"],
    ["a seal switch that is neither on nor off", { vault_sealed: null }, "vault_sealed"],
    ["an origin with a path", { allowed_origins: ["https://app.example.com/x"] }, "allowed_origins.0"],
    ["any origin", { allowed_origins: ["*"] }, "allowed_origins.0"],
    ["null as origin", { allowed_origins: ["null"] }, "allowed_origins.0"],
    [
      "a domain with a wildcard",
      { registration: { document_domains: ["*.example.com"] } },
      "registration.document_domains.0",
    ],
    ["an unknown rule of registration", { registration: { any: true } }, "registration.any"],
    ["no rules of registration", { registration: null }, "registration"],
  ])("R4: %s is refused by name", async (_name, body, path) => {
    const admin = await harness();
    const answer = await admin.patch("/settings", body);
    expect(answer.status).toBe(422);
    expect(answer.body.errors[0]?.path).toBe(path);
  });
});

describe("U11 the seal switch", () => {
  /** As requests find it once what they had is over: nothing is announced in this harness. */
  async function sealedNow(admin: Harness): Promise<boolean> {
    admin.now += limits.snapshotLife_ms;
    return (await admin.visit()).snapshot.settings.vault_sealed;
  }

  it("U11: an administrator turns it on and off, and the log names it", async () => {
    const admin = await harness();
    for (const vault_sealed of [true, false]) {
      const { status, body } = await admin.patch("/settings", { vault_sealed });
      expect([status, body]).toEqual([200, expect.objectContaining({ vault_sealed })]);
      expect(admin.events.at(-1)).toMatchObject({ action: "settings.update", outcome: "ok", fields: ["vault_sealed"] });
    }
  });

  it("U11: what requests run on has it, and other settings leave it on", async () => {
    const admin = await harness();
    await admin.patch("/settings", { vault_sealed: true });
    await admin.patch("/settings", { audit_strict: true });
    expect(await sealedNow(admin)).toBe(true);
    expect(await sealedNow(await harness())).toBe(false);
  });

  it("U11: settings of before the switch read as not sealed", async () => {
    const admin = await harness();
    await env.DB.prepare("insert into tenants values (?, 1, '{\"audit_strict\":true}', 1)").bind(admin.tenant).run();
    expect((await admin.get("/settings")).body).toMatchObject({ audit_strict: true, vault_sealed: false });
  });

  it("U11: an auditor cannot turn it", async () => {
    const admin = await harness({ readonly: true });
    expect((await admin.patch("/settings", { vault_sealed: true })).status).toBe(403);
    expect(await sealedNow(admin)).toBe(false);
  });

  it("AD-12: it is not turned from a version that has changed", async () => {
    const admin = await harness();
    const { headers } = await admin.patch("/settings", { audit_strict: true });
    await admin.patch("/settings", { instructions: "omit" });
    const stale = { "if-match": headers.get("etag") ?? "" };
    expect((await admin.patch("/settings", { vault_sealed: true }, stale)).status).toBe(412);
    expect(await sealedNow(admin)).toBe(false);
  });
});

describe("S3 events", () => {
  it("AU-23: reading the log is recorded, with the names of the filters only", async () => {
    const admin = await harness();
    const answer = await admin.get("/events?user=alice&q=secret+plans");
    expect(answer.body).toEqual({ items: [], next: null });
    expect(admin.events).toEqual([
      expect.objectContaining({ action: "events.read", outcome: "ok", fields: ["user", "q", "limit"] }),
    ]);
    expect(JSON.stringify(admin.events)).not.toContain("alice");
    expect(admin.announced_count).toBe(0);
  });

  it("AU-23: a reading that cannot be recorded is refused", async () => {
    const admin = await harness();
    admin.recording = unavailable;
    expect((await admin.get("/events")).status).toBe(503);
  });

  it("S3: the parsed filter is handed on", async () => {
    const admin = await harness();
    await admin.get("/events?type=mcp.request&from=5&limit=7");
    expect(admin.filters).toEqual([{ type: "mcp.request", from: 5, limit: 7 }]);
  });

  it.each([
    ["-1", 1],
    ["0", 1],
    ["1000000000", 500],
  ])("AD-10: a page of %s events is clamped to %i", async (limit, clamped) => {
    const admin = await harness();
    expect((await admin.get(`/events?limit=${limit}`)).status).toBe(200);
    expect(admin.filters).toEqual([{ limit: clamped }]);
  });

  it.each(["type=nothing", "from=yesterday", "limit=all", "sort=time", "decision=maybe"])(
    "AD-08: the filter %s is refused",
    async (query) => {
      const admin = await harness();
      expect((await admin.get(`/events?${query}`)).status).toBe(422);
      expect(admin.filters).toEqual([]);
    },
  );
});
