/** What all pages have in common: their headers, and what they never hold. */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import {
  agentKey,
  atConsent,
  authorizePath,
  Browser,
  connect,
  createWorld,
  register,
  vera,
  type World,
} from "./support.ts";

let world: World;
let client: string;
let staff: Browser;
let grant: string;
beforeAll(async () => {
  world = await createWorld();
  client = await register(world);
  staff = new Browser(world);
  grant = await connect(world, client, staff);
}, 30_000);

const page = async (path: string, browser: Browser): Promise<Response> => browser.follow(path);

/** Every page, by the kind of its forms. */
const pages: Readonly<
  Record<string, readonly [path: () => string, formAction: string | undefined, signedIn: boolean]>
> = {
  home: [() => "/", "'self'", true],
  "home of nobody": [() => "/", "'none'", false],
  "my access": [() => "/me", "'self'", true],
  "servers of a grant": [() => `/me/grants/${grant}/servers`, "'self'", true],
  consent: [() => authorizePath(world, client), undefined, true],
  "an authorization that stops": [() => "/oauth/authorize", "'none'", false],
  "consent without a request": [() => "/oauth/consent", "'none'", false],
  "a sign-in that fails": [() => "/login/callback?error=x&state=y", "'none'", false],
  agents: [() => "/admin/agents", "'self'", true],
  agent: [() => `/admin/agents/${agentKey(client)}`, "'self'", true],
  "redirect URLs": [() => "/admin/redirect-uris", "'self'", true],
  "nothing here": [() => "/me/grants/nothing/servers", "'none'", true],
};

describe.each(Object.entries(pages))("%s", (_name, [path, formAction, signedIn]) => {
  it("CO-07, CO-08, CO-24, AS-22: every header is there", async () => {
    const response = await page(path(), signedIn ? staff : new Browser(world));
    expect(response.headers.get("content-type")).toBe("text/html; charset=UTF-8");
    const policy = (response.headers.get("content-security-policy") ?? "").split("; ");
    expect(policy).toEqual([
      "default-src 'none'",
      "style-src 'self'",
      "img-src 'self' data:",
      "base-uri 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
      ...(formAction === undefined ? [] : [`form-action ${formAction}`]),
    ]);
    const expected = {
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
      "cross-origin-opener-policy": formAction === undefined ? "unsafe-none" : "same-origin",
      "cross-origin-resource-policy": "same-origin",
    };
    expect(Object.fromEntries(response.headers)).toMatchObject(expected);
    expect(response.headers.get("permissions-policy")).toContain("camera=()");
  });

  it("AD-24, AD-05: no script, no inline style, nothing of another origin", async () => {
    const html = await (await page(path(), signedIn ? staff : new Browser(world))).text();
    expect(html).not.toMatch(/<(?:script|style|iframe|object|embed|base)\b/i);
    expect(html).not.toMatch(/\s(?:style|on[a-z]+)=/i);
    const loaded = [...html.matchAll(/<(?:link|img|form)\b[^>]*?\s(?:href|src|action)="([^"]*)"/g)].map(
      ([, url]) => url,
    );
    expect(loaded.filter((url) => !/^(?:\/(?!\/)|data:image\/svg\+xml,)/.test(url ?? ""))).toEqual([]);
  });
});

describe("the stylesheet", () => {
  it("AD-24: is ours, and may be kept for ever", async () => {
    const html = await (await staff.get("/")).text();
    const path = /href="(\/assets\/gatehouse-[0-9a-f]{8}\.css)"/.exec(html)?.[1] ?? "";
    const response = await new Browser(world).get(path);
    expect(response.headers.get("content-type")).toBe("text/css; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(await response.text()).not.toMatch(/@import|url\(/);
  });
});

describe("text of others", () => {
  it("CO-22: state is not echoed", async () => {
    const { html } = await atConsent(world, client, {
      browser: staff,
      parameters: { state: "x<script>canary</script>" },
    });
    expect(html).toContain("wants to connect");
    expect(html).not.toContain("canary");
  });

  it("CO-20: what the provider's error says is not shown", async () => {
    const query = new URLSearchParams({
      ...{ error: "<script>canary</script>", state: "unknown" },
      ...{ error_description: "<img src=x onerror=canary>", error_uri: "javascript:canary" },
    });
    const response = await new Browser(world).get(`/login/callback?${query}`);
    expect(response.status).toBe(400);
    expect(await response.text()).not.toContain("canary");
  });

  it("CO-21: no markup in the name of a client reaches the page", async () => {
    const text = fc.stringMatching(/^[<>"'&/=a-z ;:()]{1,40}$/);
    await fc.assert(
      fc.asyncProperty(text, async (payload) => {
        const name = `<img src=x onerror=alert(1)>"'${payload}`;
        const { html } = await atConsent(world, await register(world, name), { browser: staff });
        expect(html).toContain("wants to connect");
        expect(html).not.toMatch(/<img|<svg on|<script/i);
        expect([...html.matchAll(/\son[a-z]+=/gi)].filter(([found]) => !html.includes(`&gt;${found}`))).toHaveLength(
          [...html.matchAll(/src=x onerror=/g)].length,
        );
      }),
      { numRuns: 15, seed: 4 },
    );
  });

  it("A3, CO-21: an untrusted redirect URL is text and never a link, with the line to add", async () => {
    const uri = "https://evil.test/cb?x=%3Cscript%3E&quot;";
    const other = await register(world, "Evil", uri);
    const response = await new Browser(world).get(authorizePath(world, other, { redirect_uri: uri }));
    const html = await response.text();
    expect(response.status).toBe(400);
    expect(html).toContain("https://evil.test/cb?x=%3Cscript%3E&amp;quot;</span>");
    expect(html).toContain("add exactly this line: https://evil.test/cb?x=%3Cscript%3E&amp;quot;");
    expect(html).not.toMatch(/href="[^"]*evil/);
  });
});

describe("who may see what", () => {
  it.each(["/me", "/admin/agents", "/admin/redirect-uris"])(
    "CO-24: %s of nobody leads to sign-in and back",
    async (path) => {
      const browser = new Browser(world);
      const asked = await browser.get(path);
      expect(asked.status).toBe(303);
      const back = await browser.signIn(undefined, asked.headers.get("location") ?? "");
      expect(back.headers.get("location")).toBe(path);
    },
  );

  it("A11: an auditor looks at the administrator's pages and finds nothing to press", async () => {
    const browser = new Browser(world);
    await browser.signIn(vera);
    for (const path of ["/admin/agents", `/admin/agents/${agentKey(client)}`, "/admin/redirect-uris"]) {
      const response = await browser.get(path);
      expect(response.status).toBe(200);
      expect([...(await response.text()).matchAll(/<form [^>]*action="([^"]*)"/g)].map(([, to]) => to)).toEqual([
        "/logout",
      ]);
    }
  });

  it("CO-15: two session cookies are none", async () => {
    const cookie = `__Host-gatehouse=${staff.cookies.get("__Host-gatehouse")}; __Host-gatehouse=${"x".repeat(43)}`;
    const response = await new Browser(world).send("/me", { headers: { cookie } });
    expect(response.headers.get("location")).toMatch(/^\/login/);
  });

  it("CO-13: a session has a new id after each sign-in, and the old one is dead", async () => {
    const browser = new Browser(world);
    await browser.signIn();
    const old = browser.cookies.get("__Host-gatehouse") ?? "";
    const again = /href="(\/login[^"]*)"/.exec(await (await new Browser(world).get("/")).text())?.[1] ?? "";
    await browser.signIn(undefined, `${again}?prompt=login`);
    expect(browser.cookies.get("__Host-gatehouse")).not.toBe(old);
    const dead = await new Browser(world).send("/me", { headers: { cookie: `__Host-gatehouse=${old}` } });
    expect(dead.headers.get("location")).toMatch(/^\/login/);
  });

  it("CO-14: every cookie is __Host-, Secure, HttpOnly, SameSite=Lax, without Domain", async () => {
    const browser = new Browser(world);
    await browser.signIn();
    expect(browser.received.length).toBeGreaterThan(1);
    for (const cookie of browser.received) {
      expect(cookie).toMatch(/^__Host-gatehouse(?:-signin-[0-9a-f]{8})?=/);
      for (const attribute of ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"])
        expect(cookie).toContain(`; ${attribute}`);
      expect(cookie).not.toMatch(/domain/i);
    }
  });

  it.each(["//evil.test", "/\\evil.test", "https:evil.test", "/%09/evil.test", "https://evil.test/"])(
    "AS-20: an address in the sign-in URL is not looked at: %s",
    async (target) => {
      const browser = new Browser(world);
      for (const name of ["to", "next", "return_to"]) {
        const back = await browser.signIn(
          undefined,
          `/login?${new URLSearchParams({ [name]: target, prompt: "login" })}`,
        );
        expect(back.headers.get("location")).toBe("/");
      }
    },
  );

  it("AS-20: a session that is too old for a change comes back to the page", async () => {
    const own = await createWorld();
    const browser = new Browser(own);
    await browser.signIn();
    const html = await (await browser.get("/admin/redirect-uris")).text();
    own.advance(limits.freshSignIn_ms + 1000);
    const token = /name="form_token" value="([^"]*)"/.exec(html)?.[1] ?? "";
    const stale = await browser.post("/admin/redirect-uris", [
      ["form_token", token],
      ["uri", "https://new.client.test/cb"],
    ]);
    expect(stale.status).toBe(403);
    const listed = await own.tenant.api("GET", "/redirect-uris");
    expect(await listed.text()).not.toContain("new.client.test");
  });
});
