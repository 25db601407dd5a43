/** What a change of a server says that it did besides. */
import { describe, expect, it } from "vitest";
import { harness } from "./harness.ts";
import { refused, secret } from "./servers-support.ts";

const oauth = { authentication: { type: "oauth" } };
const ownKeys = { authentication: { type: "bearer", holder: "user" } };
const key = { authentication: { type: "bearer" }, credential: { type: "bearer", token: secret } };
const agents = (type: string) => ({ agent_authentication: { type } });

/** @returns the warnings of a change */
async function warned(before: object, change: object): Promise<readonly string[]> {
  const admin = await harness();
  const { id } = await admin.server(before);
  const { status, body } = await admin.patch(`/servers/${id}`, change);
  expect(status).toBe(200);
  return body.warnings ?? [];
}

describe("U8: authentication that takes no credential any more", () => {
  it("none: accounts are used no more, and nobody is told to connect one", async () => {
    const warnings = await warned(oauth, { authentication: { type: "none" } });
    expect(warnings).toEqual([expect.stringMatching(/used no more, and nobody is asked for one/)]);
    expect(warnings.join(" ")).not.toContain("connect theirs again");
  });

  it("none: nothing is to be sent as credential", async () => {
    const warnings = await warned(key, { authentication: { type: "none" } });
    expect(warnings).toEqual(["The stored credential was dropped: authentication none takes none."]);
  });

  it("OAuth without a client of ours: people connect their own", async () => {
    expect(await warned(key, oauth)).toEqual([expect.stringContaining("each person connects their own")]);
  });

  it("OAuth with a client of ours: its secret is asked for", async () => {
    const authentication = { type: "oauth", client_id: "c", client_authentication: "client_secret_basic" };
    expect(await warned(key, { authentication })).toEqual([expect.stringContaining('Send it again as "credential"')]);
  });

  it("a key of the organisation in place of people's own: theirs are used no more", async () => {
    expect(
      await warned(ownKeys, {
        ...key,
        authentication: { type: "api_key_header", header: "X-Key" },
        credential: { type: "api_key_header", key: secret },
      }),
    ).toEqual([expect.stringContaining("nobody is asked for one")]);
  });
});

describe("A6, A9: callers who do not see a server any more", () => {
  it.each([
    ["OAuth", oauth],
    ["people's own keys", ownKeys],
  ])("A6: passthrough with %s: it leaves /mcp, and accounts are of little use", async (_title, before) => {
    const admin = await harness();
    const { id, slug } = await admin.server(before);
    const { status, body } = await admin.patch(`/servers/${id}`, agents("passthrough"));
    expect(status).toBe(200);
    expect(body.warnings).toEqual([
      `This server is not in /mcp any more, for nobody: its tools are at /mcp/${slug} only.`,
      expect.stringContaining("X-Gatehouse-Token"),
    ]);
  });

  it("A6: passthrough without accounts: it leaves /mcp", async () => {
    expect(await warned({}, agents("passthrough"))).toEqual([expect.stringContaining("not in /mcp any more")]);
  });

  it("A6: OAuth at a passthrough server: accounts are of little use", async () => {
    expect(await warned(agents("passthrough"), oauth)).toEqual([expect.stringContaining("X-Gatehouse-Token")]);
  });

  it("A6: a new passthrough server with OAuth: accounts are of little use", async () => {
    const { body } = await (
      await harness()
    ).post("/servers", {
      ...{ slug: "x", url: "https://mcp.example.com/mcp" },
      ...{ ...oauth, ...agents("passthrough") },
    });
    expect(body.warnings).toEqual([expect.stringContaining("X-Gatehouse-Token")]);
  });

  it("A9: machine: people", async () => {
    expect(await warned({}, agents("machine"))).toEqual([expect.stringMatching(/^People do not see/)]);
  });

  it("A9: interactive: machine clients", async () => {
    expect(await warned({}, agents("interactive"))).toEqual([expect.stringMatching(/^Machine clients do not see/)]);
  });

  it.each([
    ["any again", agents("passthrough"), agents("any")],
    ["the same again", agents("machine"), agents("machine")],
    ["something else", { ...oauth, ...agents("passthrough") }, { name: "New" }],
  ])("A9: %s warns of nothing", async (_title, before, change) => {
    expect(await warned(before, change)).toEqual([]);
  });
});

describe("U8: a part of what is replaced as a whole", () => {
  it.each([
    ["authentication", { holder: "user" }, "authentication.type"],
    ["authentication", { type: "bearerr" }, "authentication.type"],
    ["credential", { token: secret }, "credential.type"],
    ["agent_authentication", { anonymous: "allow" }, "agent_authentication.type"],
  ])("U8: %s %o is told so, with the types there are", async (name, part, path) => {
    const answer = await refused({ [name]: part });
    expect(answer).toMatchObject({ status: 422, path });
    expect(answer.message).toContain(`${name} is replaced as a whole, so send all of its members`);
    expect(answer.message).toContain(name === "agent_authentication" ? "interactive" : "bearer");
  });
});
