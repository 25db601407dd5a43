/** Two tenants whose people come from one provider: each is an application of its own there, and takes no token of the other's. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { setUp, type Tenant } from "../gateway/support.ts";
import { alice, Browser, create, createWorld, type World } from "../portal/support.ts";

/** What the provider calls tenant B; it calls tenant A `gatehouse-client`. */
const applicationOfB = "application-of-b";
const applicationOfA = "gatehouse-client";
const session = "__Host-gatehouse";

let world: World;
let a: Tenant;
let b: Tenant;
let ids: Record<"a" | "b", string>;
/** ID tokens that the provider gave out. */
let tokens: string[];

beforeEach(async () => {
  world = await createWorld();
  a = world.tenant;
  b = await setUp(world.harness, "https://b.gw.test");
  // The world's provider answers for both applications: an issuer, its keys and its endpoints are the same for all of them.
  await create(b, "/identity-providers", {
    ...{ kind: "generic", name: "Directory", issuer: world.provider.issuer, client_id: applicationOfB },
    ...{ client_secret: "the-client-secret", options: { roles: { member: { everyone: true } } } },
  });
  const idOf = (label: string): string =>
    world.harness.events.find(({ tenant }) => tenant.startsWith(`${label}-`))?.tenant ?? "";
  ids = { a: idOf("a"), b: idOf("b") };
  tokens = [];
  world.provider.mangle = (text) => {
    tokens.push(text);
    return text;
  };
});

/** The way over the provider, whose ID token has these claims. */
async function signIn(tenant: Tenant, claims: Record<string, unknown>): Promise<SignedIn> {
  const browser = new Browser(world, tenant.origin);
  const asked = await browser.get("/login");
  world.provider.claims = alice;
  world.provider.idToken = claims;
  const answer = world.provider.authorize(new URL(asked.headers.get("location") ?? ""));
  return { browser, page: await browser.get(answer.pathname + answer.search) };
}

const count = async (table: string, tenant: string): Promise<number | undefined> =>
  (await env.DB.prepare(`select count(*) as n from ${table} where tenant_id = ?`).bind(tenant).first<{ n: number }>())
    ?.n;

/** How many people, sessions and connections there are of each tenant. */
const people = async (tenant: string) =>
  Promise.all(["users", "web_sessions", "connections"].map((table) => count(table, tenant)));

interface SignedIn {
  readonly browser: Browser;
  readonly page: Response;
}

/** The sign-in made no session and no person, and neither the page nor the log tells what was presented. */
async function expectRefused(
  tenant: Tenant,
  signIn: () => Promise<SignedIn>,
  reason = "id_token_invalid",
): Promise<void> {
  const before = [await people(ids.a), await people(ids.b)];
  const events = world.harness.events.length;
  const { browser, page } = await signIn();
  const html = await page.text();
  expect([page.status, page.headers.get("location"), browser.cookies.has(session)]).toEqual([400, null, false]);
  expect((await browser.get("/me")).headers.get("location")).toMatch(/^\/login\?/);
  expect([await people(ids.a), await people(ids.b)]).toEqual(before);
  const recorded = world.harness.events.slice(events);
  expect(recorded).toEqual([
    expect.objectContaining({
      ...{ type: "auth.failed", reason, tenant: tenant === a ? ids.a : ids.b },
    }),
  ]);
  const told = html + JSON.stringify(recorded);
  const secrets = [...world.provider.secrets(), ...tokens, "the-client-secret", "the-access-token", applicationOfB];
  expect(secrets.filter((secret) => told.includes(secret))).toEqual([]);
}

describe("one provider of two tenants", () => {
  it("TN-13: signs a person in at each with the token of that tenant's application", async () => {
    for (const [tenant, aud] of [
      [a, applicationOfA],
      [b, applicationOfB],
    ] as const) {
      const { browser, page } = await signIn(tenant, { aud });
      expect([page.status, browser.cookies.has(session)]).toEqual([303, true]);
    }
    expect([(await people(ids.a))[0], (await people(ids.b))[0]]).toEqual([1, 1]);
    expect(world.provider.authorizations.map(({ searchParams }) => searchParams.get("client_id"))).toEqual([
      applicationOfA,
      applicationOfB,
    ]);
  });

  it.each([
    ["for the other's application", { aud: applicationOfB }],
    ["for the other's application, as a list", { aud: [applicationOfB] }],
    ["for the other's application, that names ours as the party", { aud: applicationOfB, azp: applicationOfA }],
    ["for both, given to the other's", { aud: [applicationOfA, applicationOfB], azp: applicationOfB }],
    [
      "for both in the other order, given to the other's",
      { aud: [applicationOfB, applicationOfA], azp: applicationOfB },
    ],
    ["for both, that does not say to whom it was given", { aud: [applicationOfA, applicationOfB] }],
    ["for ours, given to the other's", { aud: applicationOfA, azp: applicationOfB }],
  ])("TN-13: a token %s signs nobody in", async (_name, claims) => {
    await expectRefused(a, () => signIn(a, claims));
  });

  it("TN-13: and neither does a token of the first at the second", async () => {
    await expectRefused(b, () => signIn(b, { aud: applicationOfA }));
  });

  it("TN-13: the very token that signed a person in at the other signs nobody in here", async () => {
    expect((await signIn(b, { aud: applicationOfB })).page.status).toBe(303);
    const [token = ""] = tokens;
    world.provider.mangle = () => token;
    await expectRefused(a, () => signIn(a, {}));
  });

  it("TN-13: the provider's answer to the other's sign-in is none to ours", async () => {
    const atB = new Browser(world, b.origin);
    const asked = await atB.get("/login");
    world.provider.claims = alice;
    const answer = world.provider.authorize(new URL(asked.headers.get("location") ?? ""));
    await expectRefused(
      a,
      async () => {
        const browser = new Browser(world, a.origin);
        await browser.get("/login");
        for (const [name, value] of atB.cookies) browser.cookies.set(name, value);
        return { browser, page: await browser.get(answer.pathname + answer.search) };
      },
      "state_unknown",
    );
    expect(world.provider.tokenRequests).toEqual([]);
  });
});
