import { describe, expect, it } from "vitest";
import { harness } from "./harness.ts";

const day_ms = 24 * 60 * 60 * 1000;

describe("R4 administrators' tokens", () => {
  it("R4: a token is issued, shown once and listed without its secret", async () => {
    const admin = await harness();
    const made = await admin.post("/tokens", { name: "deploy", expires_in_days: 7 });
    expect(made.status).toBe(201);
    expect(made.body.token).toMatch(/^gha_[A-Za-z0-9_-]{43}$/);
    const { items } = (await admin.get("/tokens")).body;
    expect(items).toEqual([
      {
        id: made.body.id,
        name: "deploy",
        created_at: admin.now,
        expires_at: admin.now + 7 * day_ms,
        revoked_at: null,
        live: true,
      },
    ]);
  });

  it("A9: tokens of clients are not among them", async () => {
    const admin = await harness();
    const { id } = await admin.client();
    const token = await admin.token(id);
    expect((await admin.get("/tokens")).body.items).toEqual([]);
    expect((await admin.remove(`/tokens/${token.id}`)).status).toBe(404);
  });

  it("AD-02: the last live token cannot be revoked", async () => {
    const admin = await harness();
    const { body } = await admin.post("/tokens", { name: "only" });
    const answer = await admin.remove(`/tokens/${body.id}`);
    expect(answer.status).toBe(409);
    expect((await admin.get("/tokens")).body.items[0]?.live).toBe(true);
  });

  it("AD-02: an expired token does not count as another one", async () => {
    const admin = await harness();
    await admin.post("/tokens", { name: "short", expires_in_days: 1 });
    const { body } = await admin.post("/tokens", { name: "long" });
    admin.now += day_ms;
    expect((await admin.remove(`/tokens/${body.id}`)).status).toBe(409);
  });

  it("AD-02: of two parallel revocations of the last two, one is refused", async () => {
    const admin = await harness();
    const made = [await admin.post("/tokens", { name: "one" }), await admin.post("/tokens", { name: "two" })];
    const answers = await Promise.all(made.map(({ body }) => admin.remove(`/tokens/${body.id}`)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([204, 409]);
  });

  it("R4: a token is revoked while another one is live", async () => {
    const admin = await harness();
    const { body } = await admin.post("/tokens", { name: "one" });
    await admin.post("/tokens", { name: "two" });
    expect((await admin.remove(`/tokens/${body.id}`)).status).toBe(204);
    expect((await admin.get("/tokens")).body.items[0]).toMatchObject({ live: false, revoked_at: admin.now });
  });

  it("R4: a token needs a name", async () => {
    const admin = await harness();
    expect((await admin.post("/tokens", {})).body.errors[0]?.path).toBe("name");
  });
});
