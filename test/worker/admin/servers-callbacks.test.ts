/** Where the answers of authorization servers come to: what an administrator registers, and what is refused. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { harness } from "./harness.ts";
import { member, url } from "./servers-support.ts";

const app = (host: string) => ({
  ...{ type: "oauth", client_id: "our-app", shared_callback: true },
  endpoints: { authorization: `https://${host}/authorize`, token: `https://${host}/token` },
});

describe("redirect URIs", () => {
  it("U1, UP-10: a server with accounts of people tells its own", async () => {
    const admin = await harness();
    const made = await admin.post("/servers", { slug: "mail", url, authentication: { type: "oauth" } });
    expect(member(made, "redirect_uri")).toBe("https://a.gw.test/connect/mail/callback");
  });

  it("U1: one that has a client in common with others tells the shared one, and one without accounts tells none", async () => {
    const admin = await harness();
    const mail = await admin.post("/servers", { slug: "mail", url, authentication: app("as.example.com") });
    const keyed = await admin.post("/servers", { slug: "keyed", url, authentication: { type: "bearer" } });
    expect([mail, keyed].map((answer) => member(answer, "redirect_uri"))).toEqual([
      "https://a.gw.test/connect/shared/callback",
      undefined,
    ]);
  });

  it("UP-10: servers of one vendor may share it", async () => {
    const admin = await harness();
    for (const slug of ["mail", "calendar"]) {
      const made = await admin.post("/servers", { slug, url, authentication: app("as.example.com") });
      expect(made.status).toBe(201);
    }
  });

  it.each([
    ["of another vendor", app("as.other.example")],
    [
      "of a vendor that is found out, so that it may be anybody",
      { type: "oauth", client_id: "c", shared_callback: true },
    ],
  ])("UP-10: a server %s may not, neither when it is made nor when it is changed", async (_title, authentication) => {
    const admin = await harness();
    await admin.post("/servers", { slug: "mail", url, authentication: app("as.example.com") });
    const made = await admin.post("/servers", { slug: "chat", url, authentication });
    expect([made.status, made.body.errors?.[0]?.path]).toEqual([422, "authentication.shared_callback"]);
    expect(made.body.errors?.[0]?.message).toContain("mail");
    const chat = await admin.post("/servers", { slug: "chat", url, authentication: { type: "oauth" } });
    const changed = await admin.patch(`/servers/${chat.body.id}`, { authentication });
    expect([changed.status, changed.body.errors?.[0]?.path]).toEqual([422, "authentication.shared_callback"]);
    const { results } = await env.DB.prepare(
      "select slug from servers where tenant_id = ? and authentication like '%shared_callback%'",
    )
      .bind(admin.tenant)
      .all();
    expect(results).toEqual([{ slug: "mail" }]);
  });

  it("UP-10: nor may one that registers itself", async () => {
    const admin = await harness();
    const made = await admin.post("/servers", {
      slug: "mail",
      url,
      authentication: { type: "oauth", shared_callback: true },
    });
    expect([made.status, made.body.errors?.[0]?.path]).toEqual([422, "authentication.client_id"]);
  });

  it("UP-10: nor may two whose vendors are found out", async () => {
    const admin = await harness();
    const found = { type: "oauth", client_id: "c", shared_callback: true };
    await admin.post("/servers", { slug: "mail", url, authentication: found });
    const chat = await admin.post("/servers", { slug: "chat", url, authentication: found });
    expect([chat.status, chat.body.errors?.[0]?.path]).toEqual([422, "authentication.shared_callback"]);
  });

  it.each(["callback", "credentials", "shared"])(
    "U9: no server is called %s, as a page below /connect/ is",
    async (slug) => {
      const admin = await harness();
      const made = await admin.post("/servers", { slug, url });
      expect([made.status, made.body.errors?.[0]?.path]).toEqual([422, "slug"]);
    },
  );
});
