import { describe, expect, it } from "vitest";
import { callAdmin } from "../../../src/admin/index.ts";
import { routes } from "../../../src/admin/routes.ts";
import { harness } from "./harness.ts";

const user = { id: "01935000-0000-7000-8000-00000000000a", email: "ada@example.com" };
const principal = {
  ...({ id: `user:${user.id}`, kind: "administrator", agent: "console" } as const),
  user: { ...user, email_verified: true, groups: new Set<string>(), chosen: new Set<string>() },
};
const id = "01935000-0000-7000-8000-000000000000";

describe("A11 the admin API within the program", () => {
  it("AD-15: a change is made and recorded as the person's", async () => {
    const admin = await harness();
    const caller = { ...(await admin.dependencies()), principal };
    const made = await callAdmin(caller, "POST", "/redirect-uris", { uri: "https://app.example/callback" });
    expect(made).toMatchObject({ status: 201, body: { created_by: `user:${user.id}` } });
    expect(admin.events).toMatchObject([
      { action: "redirect_uri.create", actor: { user: user.id, user_email: user.email, agent: "console" } },
    ]);
    const listed = await callAdmin(caller, "GET", "/redirect-uris?limit=1");
    expect(listed).toMatchObject({ status: 200, body: { items: [{ uri: "https://app.example/callback" }] } });
  });

  it("A11: an answer without a body has none", async () => {
    const admin = await harness();
    const caller = { ...(await admin.dependencies()), principal };
    const { id: client } = await admin.client();
    expect(await callAdmin(caller, "DELETE", `/clients/${client}`)).toEqual({ status: 204, body: undefined });
  });

  const guarded = routes.filter(({ access }) => access === "administrator");

  it.each(guarded.filter(({ method }) => method !== "GET").map(({ method, path }) => [method, path] as const))(
    "AD-02: an auditor is refused %s %s, which is recorded once",
    async (method, path) => {
      const admin = await harness();
      const caller = { ...(await admin.dependencies()), principal };
      const target = path.replace(":id", id).replace(":tokenId", id);
      const answer = await callAdmin(caller, method, target, {}, { readonly: true });
      expect(answer.status).toBe(403);
      expect(admin.announced_count).toBe(0);
      expect(admin.events).toMatchObject([{ outcome: "refused", reason: "not_an_administrator" }]);
    },
  );

  it.each(guarded.filter(({ method, path }) => method === "GET" && !path.includes(":")).map(({ path }) => path))(
    "A11: an auditor reads %s",
    async (path) => {
      const caller = { ...(await (await harness()).dependencies()), principal };
      expect((await callAdmin(caller, "GET", path, undefined, { readonly: true })).status).toBe(200);
    },
  );

  it.each(["client", "user"] as const)("AD-02: a principal of kind %s is refused", async (kind) => {
    const caller = { ...(await (await harness()).dependencies()), principal: { ...principal, kind } };
    expect((await callAdmin(caller, "GET", "/users")).status).toBe(403);
  });
});
