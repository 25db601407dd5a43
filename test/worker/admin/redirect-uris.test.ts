import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { blocked_redirects, openDatabase } from "../../../src/db/index.ts";
import { harness } from "./harness.ts";
import { addGrant, revokedSubjects } from "./people.ts";

const uri = "https://app.example/callback";

describe("A3 trusted redirect URLs", () => {
  it.each([uri, "http://localhost", "http://127.0.0.1/callback", "cursor://anysphere.cursor-mcp/oauth/callback"])(
    "A3: %s is trusted, with who added it",
    async (trusted) => {
      const admin = await harness();
      const { status, body } = await admin.post("/redirect-uris", { uri: trusted, note: "Chat" });
      expect(status).toBe(201);
      const entry = { id: body.id, uri: trusted, note: "Chat", created_at: admin.now, created_by: "administrator:one" };
      expect((await admin.get("/redirect-uris")).body.items).toEqual([entry]);
    },
  );

  it.each([
    "https://*.example/cb",
    "http://app.example/cb",
    "http://localhost:8080/cb",
    "javascript:alert(1)",
    "x",
    "",
  ])("A3: %j is refused with what to write instead", async (refused) => {
    const admin = await harness();
    const answer = await admin.post("/redirect-uris", { uri: refused });
    expect(answer.status).toBe(422);
    expect(answer.body.errors[0]?.path).toBe("uri");
    expect((await admin.get("/redirect-uris")).body.items).toEqual([]);
  });

  it("A3: a second entry of the same URL is refused with 409", async () => {
    const admin = await harness();
    await admin.post("/redirect-uris", { uri });
    expect((await admin.post("/redirect-uris", { uri })).status).toBe(409);
  });

  it("A3: what was blocked is listed with the entry that would let it through", async () => {
    const admin = await harness();
    await openDatabase(env.DB)
      .insert(blocked_redirects)
      .values({
        ...{ tenant_id: admin.tenant, client_id: "x", redirect_uri: "http://127.0.0.1:5678/cb", client_name: "App" },
        ...{ attempts: 2, first_at: 1, last_at: 2 },
      });
    const { body } = await admin.get("/redirect-uris/blocked");
    expect(body.items).toEqual([
      {
        ...{ client_id: "x", client_name: "App", redirect_uri: "http://127.0.0.1:5678/cb" },
        ...{ trust: "http://127.0.0.1/cb", attempts: 2, first_at: 1, last_at: 2 },
      },
    ]);
    expect((await admin.post("/redirect-uris", { uri: "http://127.0.0.1/cb" })).status).toBe(201);
  });

  it("A3: removing an entry revokes the grants that used it and says how many", async () => {
    const admin = await harness();
    const { id } = (await admin.post("/redirect-uris", { uri: "http://127.0.0.1" })).body;
    const [one, two] = [
      await addGrant(admin, { redirect_uri: "http://127.0.0.1:5678/cb" }),
      await addGrant(admin, { redirect_uri: "http://127.0.0.1:9999/other" }),
    ];
    const kept = await addGrant(admin, { redirect_uri: uri });
    const { status, body } = await admin.remove(`/redirect-uris/${id}`);
    expect([status, body]).toEqual([200, { revoked_grants: 2 }]);
    for (const grant of [one, two]) {
      expect((await admin.get(`/grants/${grant}`)).body.revoked_reason).toBe("redirect_untrusted");
    }
    expect((await admin.get(`/grants/${kept}`)).body.living).toBe(true);
    expect(Object.keys(await revokedSubjects(admin)).toSorted()).toEqual([`grant:${one}`, `grant:${two}`].toSorted());
  });

  it("A3: a grant that another entry still covers stays", async () => {
    const admin = await harness();
    const { id } = (await admin.post("/redirect-uris", { uri: "http://127.0.0.1" })).body;
    await admin.post("/redirect-uris", { uri: "http://127.0.0.1/cb" });
    const grant = await addGrant(admin, { redirect_uri: "http://127.0.0.1:5678/cb" });
    expect((await admin.remove(`/redirect-uris/${id}`)).body).toEqual({ revoked_grants: 0 });
    expect((await admin.get(`/grants/${grant}`)).body.living).toBe(true);
  });
});
