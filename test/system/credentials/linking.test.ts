/** An account is connected at the first call that needs it, in the form that each client takes; two people never see each other's data. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { change, leaksOf } from "../people/site.ts";
import { callModern } from "../support/modern-request.ts";
import { pullRequests } from "../support/forge.ts";
import { createPerson, fieldsOf, pressName } from "../support/person.ts";
import { chatKinds, linkIn, modernChat, plainModernChat } from "./chat.ts";
import { startForgeWorld, type ForgePeers } from "./forge-world.ts";
import { connectionsAt, type Person, type World } from "./world.ts";

const toolScopes = { write_note: "notes:write" };

let world: World<ForgePeers>;
let server_id: string;
let ada: Person;
let ben: Person;
/** Of their applications at the server's own endpoint. */
let ada_token: string;
let ben_token: string;
beforeAll(async () => {
  world = await startForgeWorld({ guard: { scopes: ["read"], toolScopes } });
  const authentication = { type: "oauth", hint: "Use your work account." };
  const url = world.peers.server.url.href;
  server_id = await world.register({ slug: "forge", name: "Forge", url, authentication });
  [ada, ben] = [await world.holdFor("ada"), await world.holdFor("ben")];
  [ada_token, ben_token] = [await ada.tokenFor("/mcp/forge"), await ben.tokenFor("/mcp/forge")];
});
afterAll(() => world.dispose());

const endpoint = (path = "/mcp/forge"): URL => world.site.endpoint(path);

/** Ends whatever is connected. */
async function disconnectAll(): Promise<void> {
  for (const { id } of await connectionsAt(world.site, server_id)) {
    await change(world.site, "DELETE", `/connections/${id}`, undefined, 204);
  }
  const left = async () => (await connectionsAt(world.site, server_id)).length;
  await expect.poll(left, { timeout: 5_000 }).toBe(0);
}

describe.each(chatKinds.map((kind) => ({ kind, name: kind.name, form: kind.form })))("$name ($form)", ({ kind }) => {
  it.each([
    { path: "/mcp/forge", tool: "list_pull_requests" },
    { path: "/mcp", tool: "forge__list_pull_requests" },
  ])("U9: is shown a link at its first call on $path; the same session then works", async ({ path, tool }) => {
    await disconnectAll();
    const shown: URL[] = [];
    const token = path === "/mcp" ? ada.token : ada_token;
    const chat = await kind.connect(world.site, endpoint(path), token, async (url) => {
      shown.push(url);
      const journey = await ada.go(url);
      expect(journey.text).toContain("Forge is connected");
    });
    const { text, isError } = await chat.call(tool);
    expect([text, isError]).toEqual([pullRequests["octo-ada"], false]);
    expect(shown.map(({ origin, pathname }) => origin + pathname)).toEqual([`${world.site.origin}/connect/forge`]);
    expect((await chat.call(tool)).text).toBe(pullRequests["octo-ada"]);
    expect(shown).toHaveLength(1);
    expect((await chat.tools()).map((name) => name.replace("forge__", ""))).toContain("write_note");
    await chat.close();
  });
});

it("U9: a list of tools without an account has the one that leads to it", async () => {
  await disconnectAll();
  const chat = await plainModernChat.connect(world.site, endpoint(), ada_token, (url) => ada.go(url));
  expect(await chat.tools()).toEqual(["connect_account"]);
  expect(await chat.call("connect_account")).toEqual({ text: expect.stringContaining("connected"), isError: false });
  expect(await chat.tools()).toEqual(["list_pull_requests", "whoami", "write_note"]);
  await chat.close();
});

it("U10: each person gets the answers of their own account, from the same application at the same address", async () => {
  await disconnectAll();
  const say = async (person: Person): Promise<string> => {
    const token = person === ada ? ada_token : ben_token;
    const chat = await modernChat.connect(world.site, endpoint(), token, (url) => person.go(url));
    const { text } = await chat.call("list_pull_requests");
    await chat.close();
    return text;
  };
  expect([await say(ada), await say(ben)]).toEqual([pullRequests["octo-ada"], pullRequests["octo-ben"]]);
  expect([await say(ben), await say(ada)]).toEqual([pullRequests["octo-ben"], pullRequests["octo-ada"]]);
});

/** The link of a call that cannot be made yet. */
async function linkForAda(): Promise<string> {
  const params = { name: "whoami", arguments: {} };
  const answer = await callModern(endpoint(), { method: "tools/call", params, token: ada_token });
  return linkIn.exec(answer.text)?.[0] ?? "";
}

/** Ada, without a script, up to the answer of the provider, which she does not bring. */
async function answerForAda(): Promise<URL> {
  const person = createPerson();
  const asked = await pressName(person, await person.visit(endpoint("/connect/forge")), "ada");
  const provider = await person.visit(endpoint("/connect/forge"), fieldsOf(asked, "/connect/forge") ?? {});
  const consent = await pressName(person, provider, "octo-ada");
  const action = /action="(\/interaction\/[^"]+)"/.exec(consent.text)?.[1] ?? "";
  const isAnswer = ({ pathname }: URL): boolean => pathname.startsWith("/connect/forge/callback");
  return (await person.visit(new URL(action, consent.url), { answer: "authorize" }, isAnswer)).url;
}

describe("a link", () => {
  it("U9, UP-14: is refused for anybody else, before and after the provider", async () => {
    await disconnectAll();
    const link = await linkForAda();
    const { text, asked } = await ben.go(link);
    expect(asked).not.toContain("connect");
    expect(text).not.toContain("is connected");
    expect(await connectionsAt(world.site, server_id)).toEqual([]);
    expect((await ada.go(link)).text).toContain("Forge is connected");
  });

  it("UP-14: the answer of a provider is refused for anybody but who began, and stays theirs", async () => {
    await disconnectAll();
    const answer = await answerForAda();
    const stolen = await ben.go(answer);
    expect(stolen.arrived.pathname).toBe(answer.pathname);
    expect(await connectionsAt(world.site, server_id)).toEqual([]);
    await ada.go(answer);
    expect(await connectionsAt(world.site, server_id)).toMatchObject([{ state: "linked", account: "default" }]);
  });

  it("U9: connects once", async () => {
    await disconnectAll();
    const link = await linkForAda();
    expect((await ada.go(link)).text).toContain("Forge is connected");
    const before = world.peers.authorization.tokenRequests.length;
    const again = await ada.go(link);
    expect([again.asked, again.text.includes("Forge is connected")]).toEqual([[], false]);
    expect(world.peers.authorization.tokenRequests).toHaveLength(before);
  });

  it("U9: a person who cancels at the provider is told so, and may try again", async () => {
    await disconnectAll();
    // They have not agreed yet at this provider, so it asks.
    await ada.context.clearCookies({ name: /^_as/ });
    const cancelled = await ada.connect("forge", { refuses: true });
    expect(cancelled.asked).toContain("authorize");
    expect(cancelled.text).not.toContain("is connected");
    expect(await connectionsAt(world.site, server_id)).toEqual([]);
    const again = await ada.connect("forge");
    expect(again.text).toContain("Forge");
    expect(await connectionsAt(world.site, server_id)).toMatchObject([{ state: "linked", account: "default" }]);
  });
});

it("U1, UP-19: a tool that needs more scope asks for it once, and is then called", async () => {
  await disconnectAll();
  await ada.connect("forge");
  const shown: URL[] = [];
  const chat = await modernChat.connect(world.site, endpoint(), ada_token, async (url) => {
    shown.push(url);
    await ada.go(url);
  });
  const first = await chat.call("write_note", { note: "hello" });
  expect(first).toEqual({ text: "octo-ada wrote hello", isError: false });
  expect(shown).toHaveLength(1);
  expect((await chat.call("write_note", { note: "again" })).text).toBe("octo-ada wrote again");
  expect(shown).toHaveLength(1);
  expect(world.peers.server.forge.notes.map(({ note }) => note)).toEqual(["hello", "again"]);
  await chat.close();
});

it("U10: one person has several accounts, and says which of them calls use", async () => {
  await disconnectAll();
  await ada.connect("forge");
  await ada.context.clearCookies({ name: /^_as/ });
  const another = await ada.go(`${world.site.origin}/connect/forge?another=yes`, {
    account: "octo-ben",
    accountName: "work",
  });
  expect(another.asked).toContain("authorize");
  const names = (await connectionsAt(world.site, server_id)).map(({ account }) => account).sort();
  expect(names).toEqual(["default", "work"]);
  const chat = await plainModernChat.connect(world.site, endpoint(), ada_token, () =>
    Promise.reject(new Error("asked")),
  );
  expect((await chat.call("whoami")).text).toBe("octo-ada");

  const page = await ada.context.newPage();
  await page.goto(`${world.site.origin}/me/connections`);
  world.site.pages.push(await page.content());
  await page.getByRole("button", { name: /Use .*work/ }).click();
  await page.waitForURL(/[?&]uses=/);
  await page.close();
  await expect.poll(async () => (await chat.call("whoami")).text, { timeout: 5_000 }).toBe("octo-ben");
  await chat.close();
});

it("U11, VT-07, AU-20: no token, code or secret of these tests is in a log, an answer, a page or anything stored", () => {
  expect(world.leaks()).toEqual([]);
  expect(leaksOf(world.site)).toEqual([]);
  expect(world.peers.authorization.secrets.size).toBeGreaterThan(20);
});
