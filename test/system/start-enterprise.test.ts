/** `npm start -- --enterprise`: a whole organisation on one machine. */
import { readFileSync, rmSync, statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { createApi, type Api } from "../../scripts/lib/admin-api.ts";
import { run } from "../../scripts/lib/child.ts";
import { isFree, freePort } from "../../scripts/lib/network.ts";
import { at } from "../../scripts/lib/root.ts";
import { createPerson, pressName } from "./support/person.ts";
import { start, type Started } from "./support/started.ts";

let port: number;
let state: string;
let started: Started;
let api: Api;
const url = (path: string): URL => new URL(path, `http://localhost:${port}`);
const json = async (address: URL | string): Promise<unknown> => (await fetch(address)).json();

const listed = z.object({ items: z.array(z.looseObject({ id: z.string() })) });
const itemsOf = async (path: string) => listed.parse((await api("GET", path)).body).items;

/** The identity provider takes the port behind. */
async function freePair(): Promise<number> {
  for (;;) {
    const candidate = await freePort();
    if (candidate < 65_535 && (await isFree(candidate + 1))) return candidate;
  }
}

const token = (): string => readFileSync(`${state}/enterprise/administrator-token`, "utf8").trim();

beforeAll(async () => {
  port = await freePair();
  state = at(".gatehouse", String(port));
  started = await start(port, ["--enterprise"]);
  api = createApi(url("/"), token());
});

afterAll(async () => {
  await started.stop();
  rmSync(state, { recursive: true, force: true });
});

describe("npm start -- --enterprise", () => {
  it("R5: prints what to open and how clients connect, and no secret", () => {
    const { text } = started;
    for (const path of ["/mcp", "/me", "/admin/agents"]) expect(text).toContain(url(path).href);
    expect(text).toContain("claude mcp add --transport http gatehouse");
    expect(text).toContain("mcp-remote");
    expect(text).toContain("ada@example.test");
    expect(text).not.toContain(token());
  });

  it("R5: the printed command reaches the admin API", async () => {
    const command = /^curl .*$/m.exec(started.text)?.[0] ?? "";
    const done = await run("bash", ["-c", command]);
    expect(listed.parse(JSON.parse(done.stdout)).items).toMatchObject([
      { slug: "demo", access: { everyone: true } },
      { slug: "everything", access: { everyone: false, groups: ["engineering"] } },
    ]);
  });

  it("U11: what is secret is for the owner of the machine only", () => {
    for (const name of ["administrator-token", "secrets.json"]) {
      expect(statSync(`${state}/enterprise/${name}`).mode & 0o777).toBe(0o600);
    }
  });

  it("R1: nothing is open: the MCP endpoint asks for a token and says where to get one", async () => {
    const { status, headers } = await fetch(url("/mcp"), { method: "POST" });
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toContain(url("/.well-known/oauth-protected-resource/mcp").href);
    expect(await json(url("/.well-known/oauth-authorization-server"))).toMatchObject({ issuer: url("/").origin });
  });

  it("A1: the identity provider answers for itself", async () => {
    const [{ issuer } = { issuer: "" }] = z
      .array(z.object({ issuer: z.string() }))
      .parse(await itemsOf("/identity-providers"));
    expect(issuer).toBe(`http://127.0.0.1:${port + 1}`);
    expect(await json(`${issuer}/.well-known/openid-configuration`)).toMatchObject({
      issuer,
      authorization_response_iss_parameter_supported: true,
      backchannel_logout_session_supported: true,
    });
  });

  it.each([
    ["ada", "administrator", ["administrators", "engineering"]],
    ["ben", "member", []],
  ] as const)("A1: %s signs in as %s, and a second time without being asked", async (id, role, groups) => {
    const person = createPerson();
    const asked = await person.visit(url("/login"));
    expect(asked.url.origin).toBe(`http://127.0.0.1:${port + 1}`);
    const arrived = await pressName(person, asked, id);
    expect([arrived.url.origin, arrived.status]).toEqual([url("/").origin, 200]);
    const [user] = await itemsOf(`/users?email=${id}@example.test`);
    expect(user).toMatchObject({ role, groups, email_verified: true });
    const again = await person.visit(url("/login"));
    expect([again.url.origin, again.status]).toEqual([url("/").origin, 200]);
  });

  it("R5: a second start finds the same people, secrets and token, and registers nothing twice", async () => {
    const before = { token: token(), users: await itemsOf("/users"), providers: await itemsOf("/identity-providers") };
    expect(await started.stop()).toBe(0);
    await expect(fetch(url("/healthz"))).rejects.toThrow();
    expect(await isFree(port + 1)).toBe(true);

    started = await start(port, ["--enterprise"]);
    expect(token()).toBe(before.token);
    expect((await itemsOf("/users")).map(({ id }) => id)).toEqual(before.users.map(({ id }) => id));
    expect((await itemsOf("/identity-providers")).map(({ id }) => id)).toEqual(before.providers.map(({ id }) => id));
    expect(await itemsOf("/servers")).toHaveLength(2);
    const person = createPerson();
    const arrived = await pressName(person, await person.visit(url("/login")), "ada");
    expect([arrived.url.origin, arrived.status]).toEqual([url("/").origin, 200]);
  });
});
