/** R4: what is wrong with a member is said in plain words, and never with what was sent. */
import { describe, expect, it } from "vitest";
import { harness } from "./harness.ts";
import { refused, secret } from "./servers-support.ts";

const oauth = { type: "oauth" };

describe("R4: a member that is not as it must be", () => {
  it.each<[object, string, string]>([
    [{ authentication: { type: "api_key_header" } }, "authentication.header", "is needed"],
    [{ authentication: secret }, "authentication", "must be an object"],
    [
      { authentication: { type: "bearer", holder: secret } },
      "authentication.holder",
      "must be one of organisation, user",
    ],
    [{ authentication: { type: "bearer", holder: 1 } }, "authentication.holder", "must be one of organisation, user"],
    [{ authentication: { ...oauth, client_id: 7 } }, "authentication.client_id", "must be text"],
    [{ authentication: { ...oauth, scopes: secret } }, "authentication.scopes", "must be a list"],
    [{ authentication: { ...oauth, issuer: "" } }, "authentication.issuer", "must not be empty"],
    [
      { authentication: { ...oauth, shared_callback: secret } },
      "authentication.shared_callback",
      "must be true or false",
    ],
    [{ authentication: { type: "headers", headers: [] } }, "authentication.headers", "must not be empty"],
    [{ access: secret }, "access", "must be an object"],
    [{ timeout_ms: secret }, "timeout_ms", "must be a number"],
    [{ timeout_ms: 1000.5 }, "timeout_ms", "must be a whole number"],
    [{ timeout_ms: 1 }, "timeout_ms", "must be at least 1000"],
    [{ name: null }, "name", "must be text"],
    [{ name: "n".repeat(101) }, "name", "must have at most 100 characters"],
    [{ outbound_headers: [{ source: secret }] }, "outbound_headers.0.source", "must be one of service_token"],
    [{ outbound_headers: [{}] }, "outbound_headers.0.source", "is needed, one of service_token"],
    [
      { outbound_headers: [{ source: "stored_credential", name: "X-A", credential_id: secret }] },
      "outbound_headers.0.credential_id",
      "must be a UUID",
    ],
    [
      { header_secrets: { "X Y": { value: secret } } },
      "header_secrets.X Y",
      "is no name for it: must be an HTTP header name",
    ],
    [{ authentication: { ...oauth, parameters: { prompt: 1 } } }, "authentication.parameters.prompt", "must be text"],
  ])("R4: %o says so", async (body, path, message) => {
    const answer = await refused(body);
    expect(answer).toMatchObject({ status: 422, path });
    expect(answer.message).toContain(message);
    expect(answer.message).not.toMatch(/invalid|expected|received/i);
  });

  it.each([
    ["authentication", { type: secret }, "must be one of none, passthrough, bearer"],
    ["authentication", { holder: "user" }, "is needed, one of none, passthrough, bearer"],
    ["agent_authentication", { type: 1 }, "must be one of any, interactive"],
  ])("U8: the type of %s %o: sent or not is told apart", async (name, part, message) => {
    const answer = await refused({ [name]: part });
    expect(answer).toMatchObject({ status: 422, path: `${name}.type` });
    expect(answer.message).toContain(message);
  });

  it("R4: a query that has no such form says so", async () => {
    const answer = await (await harness()).get("/events?outcome=whatever");
    expect(answer.status).toBe(422);
    expect(answer.text).toContain("must be one of");
    expect(answer.text).not.toMatch(/Invalid|whatever/);
  });
});

describe("R4: an id that is none", () => {
  it.each(["github", "x", "0190a5a0-0000-7000-8000-000000000000"])(
    "R4: /servers/%s says where ids are, the same for each",
    async (id) => {
      const admin = await harness();
      await admin.server({ slug: "github" });
      for (const answer of [
        await admin.patch(`/servers/${id}`, { name: "N" }),
        await admin.get(`/servers/${id}`),
        await admin.get(`/servers/${id}/status`),
        await admin.remove(`/servers/${id}`),
      ]) {
        expect(answer.status).toBe(404);
        expect(JSON.parse(answer.text)).toMatchObject({
          detail: "There is no server with this id: ids are in GET /servers",
        });
      }
    },
  );
});
