/** A3, AS-02 to AS-10: which redirect URIs exist, match and are trusted. */
import { sql } from "drizzle-orm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import {
  blockedRedirects,
  isRegisteredRedirect,
  isTrustedRedirect,
  matchesRedirect,
  parseTrustedRedirect,
  redirectProblem,
  trustedEntryFor,
  trustedRedirects,
} from "../../../src/oauth/redirects/index.ts";
import { createWorld } from "./clients-support.ts";

const numbers = (count: number): string => JSON.stringify(Array.from({ length: count }, (_, n) => n + 1));

const reasonOf = (uri: string): string | undefined => redirectProblem(uri)?.reason;

describe("what may be registered", () => {
  it.each([
    "https://app.test/cb",
    "https://app.test",
    "https://app.test:8443/cb?tenant=1",
    "http://localhost/callback",
    "http://127.0.0.1:33418/",
    "http://127.0.0.1",
    "http://[::1]:5000/cb",
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "com.example.app:/oauth2redirect",
    "vscode://vscode.github-authentication/did-authenticate",
  ])("AS-08: %s may", (uri) => {
    expect(reasonOf(uri)).toBeUndefined();
  });

  it.each([
    ["AS-03", "https://app.test@evil.test/cb", "redirect_userinfo"],
    ["AS-03", "https://user:pass@evil.test/cb", "redirect_userinfo"],
    ["AS-03", "cursor://app@evil/cb", "redirect_userinfo"],
    ["AS-03", "https://app.test\\@evil.test/cb", "redirect_characters"],
    ["AS-03", "https://app.test%2eevil.test/cb", "redirect_host"],
    ["AS-03", "https://app.test。evil.test/cb", "redirect_characters"],
    ["AS-03", "https://bücher.test/cb", "redirect_characters"],
    ["AS-02", "https://app.test./cb", "redirect_host"],
    ["AS-02", "https://APP.test/cb", "redirect_host"],
    ["AS-02", "https://app.test:443/cb", "redirect_not_as_parsed"],
    ["AS-02", "https://app.test/a/../cb", "redirect_not_as_parsed"],
    ["AS-02", "https://app.test/a/%2e%2e/cb", "redirect_not_as_parsed"],
    ["AS-02", "https://app.test/cb#f", "redirect_fragment"],
    ["AS-02", "https://app.test/cb#", "redirect_fragment"],
    ["AS-04", "https://*.app.test/cb", "redirect_wildcard"],
    ["AS-04", "https://app.test/*", "redirect_wildcard"],
    ["AS-04", "https://%2a.app.test/cb", "redirect_wildcard"],
    ["AS-04", "http://localhost:*/cb", "redirect_form"],
    ["AS-05", "javascript:alert(1)", "redirect_form"],
    ["AS-05", "javascript://app.test/%0aalert(1)", "redirect_scheme"],
    ["AS-05", "JaVaScRiPt:alert(1)", "redirect_form"],
    ["AS-05", "JaVaScRiPt://app.test/%0aalert(1)", "redirect_form"],
    ["AS-05", "java\tscript://app.test/x", "redirect_characters"],
    ["AS-05", " data:text/html,x", "redirect_characters"],
    ["AS-05", "data:/text/html,x", "redirect_scheme"],
    ["AS-05", "vbscript:/x", "redirect_scheme"],
    ["AS-05", "file:///etc/passwd", "redirect_scheme"],
    ["AS-05", "blob:/https://app.test/1", "redirect_scheme"],
    ["AS-05", "about:/blank", "redirect_scheme"],
    ["AS-05", "view-source:/https://app.test", "redirect_scheme"],
    ["AS-05", "intent://scan/#Intent;end", "redirect_scheme"],
    ["AS-05", "ms-msdt:/id", "redirect_scheme"],
    ["AS-05", "c:/windows/system32", "redirect_form"],
    ["AS-06", "http://app.test/cb", "redirect_http"],
    ["AS-06", "http://127.0.0.2/cb", "redirect_http"],
    ["AS-06", "http://2130706433/cb", "redirect_not_as_parsed"],
    ["AS-06", "http://0x7f.1/cb", "redirect_not_as_parsed"],
    ["AS-06", "http://localhost.evil.test/cb", "redirect_http"],
    ["AS-06", "http://0.0.0.0/cb", "redirect_http"],
    ["AS-10", "https://app.test/cb?code=x", "redirect_answer_member"],
    ["AS-10", "https://app.test/cb?a=1&st%61te=x", "redirect_answer_member"],
    ["AS-10", "https://app.test/cb?iss=https://a.gw.test", "redirect_answer_member"],
    ["AS-10", "cursor://app/cb?error=x", "redirect_answer_member"],
    ["AS-05", "//app.test/cb", "redirect_form"],
    ["AS-05", "/cb", "redirect_form"],
    ["AS-05", "https:/app.test/cb", "redirect_host"],
    ["AS-05", "https:///app.test/cb", "redirect_host"],
    ["AS-05", "https:app.test/cb", "redirect_form"],
    ["AS-05", "", "redirect_length"],
    ["AS-05", `https://app.test/${"a".repeat(limits.redirectUri_chars)}`, "redirect_length"],
  ])("%s: %s may not", (_id, uri, reason) => {
    expect(reasonOf(uri)).toBe(reason);
  });

  it("AS-05: whatever passes opens as it is written, in a scheme that runs nothing", () => {
    const scheme = fc.constantFrom("https://", "http://", "cursor://", "javascript://", "JAVASCRIPT:", "file:/");
    const piece = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom("app.test", "localhost", "127.0.0.1", "[::1]", "/", "cb", "?a=1", ":80"),
      },
      { weight: 1, arbitrary: fc.constantFrom("..", "@", "\\", "#", "*", "%2e", ":", " ", "\t", "。", "A") },
    );
    fc.assert(
      fc.property(scheme, fc.array(piece, { maxLength: 6 }), (start, pieces) => {
        const uri = start + pieces.join("");
        if (redirectProblem(uri) !== undefined) return;
        const { href, protocol, hostname, username, password, hash } = new URL(uri);
        const isLoopback = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
        const isOpened = href === uri || href === `${uri}/`;
        const runsNothing = ["https:", "cursor:"].includes(protocol) || (protocol === "http:" && isLoopback);
        if (!isOpened || !runsNothing || username + password + hash !== "") throw new Error(uri);
      }),
      { numRuns: 300 },
    );
  });
});

describe("what matches a registered one", () => {
  it.each([
    ["http://127.0.0.1/callback", "http://127.0.0.1:52163/callback"],
    ["http://127.0.0.1:33418/", "http://127.0.0.1:50000/"],
    ["http://127.0.0.1/", "http://127.0.0.1:33418"],
    ["http://localhost:3118/callback?a=1", "http://localhost:9/callback?a=1"],
    ["http://[::1]/cb", "http://[::1]:1/cb"],
    ["https://app.test/cb", "https://app.test/cb"],
  ])("A5: %s is %s", (registered, asked) => {
    expect(matchesRedirect(registered, asked)).toBe(true);
  });

  it.each([
    ["http://localhost/callback", "http://127.0.0.1:52163/callback"],
    ["http://127.0.0.1/callback", "http://127.0.0.1:52163/callback/x"],
    ["http://127.0.0.1/callback", "http://127.0.0.1:52163/Callback"],
    ["http://127.0.0.1/callback", "http://127.0.0.1:52163/callback?x=1"],
    ["http://127.0.0.1/callback", "https://127.0.0.1:52163/callback"],
    ["http://127.0.0.1/callback", "http://127.0.0.1:52163@evil.test/callback"],
    ["http://127.0.0.1/callback", "http://127.0.0.1.evil.test/callback"],
    ["http://127.0.0.1/callback", "http://127.0.0.1:123456/callback"],
    ["https://app.test/cb", "https://app.test:8443/cb"],
    ["https://app.test/cb", "https://app.test/cb/"],
    ["https://app.test/cb", "https://app.test/cb?x=1"],
    ["https://app.test/cb", "https://app.test/CB"],
    ["https://app.test/cb", "https://app.test/c%62"],
    ["https://app.test/cb", "https://app.test/cb%2F"],
    ["https://app.test/cb", "https://app.test/cb/../evil"],
    ["cursor://anysphere.cursor-mcp/oauth/callback", "cursor://anysphere.cursor-mcp:1/oauth/callback"],
  ])("AS-02: %s is not %s", (registered, asked) => {
    expect(isRegisteredRedirect([registered], asked)).toBe(false);
  });
});

describe("trusted redirect URLs", () => {
  it.each([
    ["https://claude.ai/api/mcp/auth_callback", "https://claude.ai/api/mcp/auth_callback"],
    ["cursor://anysphere.cursor-mcp/oauth/callback", "cursor://anysphere.cursor-mcp/oauth/callback"],
    ["http://127.0.0.1/callback", "http://127.0.0.1:37819/callback"],
    ["http://localhost/callback", "http://localhost/callback"],
    ["http://127.0.0.1", "http://127.0.0.1:37819/callback/h8sJ"],
    ["http://localhost", "http://localhost:8080/oauth?x=1"],
    ["http://[::1]", "http://[::1]:8080/"],
    ["http://127.0.0.1/", "http://127.0.0.1:33418"],
  ])("A3: %s lets %s through", (entry, uri) => {
    expect(parseTrustedRedirect(entry)).toEqual({ ok: true, value: entry });
    expect(isTrustedRedirect(uri, [entry])).toBe(true);
  });

  it.each([
    ["https://claude.ai/api/mcp/auth_callback", "https://claude.ai/api/mcp/auth_callback2"],
    ["https://claude.ai/api/mcp/auth_callback", "https://claude.ai.evil.test/api/mcp/auth_callback"],
    ["https://app.test/", "https://app.test/cb"],
    ["cursor://anysphere.cursor-mcp/oauth/callback", "cursor://evil"],
    ["http://127.0.0.1/callback", "http://localhost:1/callback"],
    ["http://127.0.0.1/callback", "http://127.0.0.1:1/callback2"],
    ["http://127.0.0.1/", "http://127.0.0.1:1/callback"],
    ["http://localhost", "http://localhost.evil.test/"],
    ["http://localhost", "http://localhost@evil.test/"],
    ["http://localhost", "https://localhost/"],
    ["http://localhost", "http://localhost:1/../#x"],
  ])("A3: %s does not let %s through", (entry, uri) => {
    expect(isTrustedRedirect(uri, [entry])).toBe(false);
  });

  it("A3: nothing is trusted by default", () => {
    expect(isTrustedRedirect("https://app.test/cb", [])).toBe(false);
  });

  it.each([
    ["http://localhost:8787/callback", "write http://localhost/callback."],
    ["http://app.test/cb", "use https."],
    ["javascript:alert(1)", "https://…, http://localhost/… or com.example.app:/…."],
    ["https://*.app.test/cb", "register each URL in full."],
    [" https://app.test/cb", "percent-encode all others."],
  ])("A3: the entry %s is refused with what to write", (entry, sentence) => {
    const parsed = parseTrustedRedirect(entry);
    expect(parsed.ok ? "taken" : parsed.error).toContain(sentence);
  });

  const host = fc.constantFrom("localhost", "127.0.0.1", "[::1]");
  const port = fc.integer({ min: 1, max: 65_535 });
  const segment = fc.stringMatching(/^[a-z0-9]{1,8}$/);

  it("A3: what an administrator is told to add lets exactly that through, on any port", () => {
    const web = fc.tuple(segment, segment).map(([name, path]) => `https://${name}.test/${path}`);
    const app = fc.tuple(segment, segment).map(([name, path]) => `x${name}://${path}/cb`);
    const loopback = fc.tuple(host, port, segment).map(([name, number, path]) => `http://${name}:${number}/${path}`);
    fc.assert(
      fc.property(fc.oneof(web, app, loopback), (uri) => {
        fc.pre(redirectProblem(uri) === undefined);
        const entry = trustedEntryFor(uri);
        expect(parseTrustedRedirect(entry)).toEqual({ ok: true, value: entry });
        expect(isTrustedRedirect(uri, [entry])).toBe(true);
        expect(isTrustedRedirect(`${uri}x`, [entry])).toBe(false);
      }),
    );
  });

  it("A3: a loopback entry with a path covers that host and path and nothing else", () => {
    fc.assert(
      fc.property(host, host, segment, segment, port, (trusted, asked, path, other, number) => {
        const isCovered = isTrustedRedirect(`http://${asked}:${number}/${other}`, [`http://${trusted}/${path}`]);
        expect(isCovered).toBe(trusted === asked && path === other);
      }),
    );
  });
});

describe("storage", () => {
  it("A3: an entry is stored once, listed, and gone when it is removed", async () => {
    const { database, tenant } = await createWorld();
    const store = trustedRedirects(database, tenant);
    const entry = { id: "1", uri: "https://app.test/cb", note: "n", created_at: 1, created_by: "administrator:1" };
    expect(await store.insert(entry)).toBe("inserted");
    expect(await store.insert({ ...entry, id: "2" })).toBe("exists");
    expect(await store.page(undefined, 10)).toEqual([entry]);
    expect(await store.get("1")).toEqual(entry);
    expect(await store.remove("1")).toEqual(entry);
    expect(await store.remove("1")).toBeUndefined();
    expect(await store.all()).toEqual([]);
  });

  it("A3: of parallel inserts none gets past the limit", async () => {
    const { database, tenant } = await createWorld();
    const store = trustedRedirects(database, tenant);
    const insert = (n: number) =>
      store.insert({ id: `i-${n}`, uri: `https://app.test/${n}`, note: "", created_at: 1, created_by: "t" });
    await database.run(sql`
      insert into redirect_uris select ${tenant}, value, 'https://app.test/old/' || value, '', 1, 't'
      from json_each(${numbers(limits.trustedRedirects_count - 2)})`);
    const all = await Promise.all(Array.from({ length: 10 }, (_, n) => insert(n)));
    expect(all.filter((outcome) => outcome === "inserted")).toHaveLength(2);
    expect(await store.all()).toHaveLength(limits.trustedRedirects_count);
  });

  it("A3: another tenant's entries are not there", async () => {
    const [one, other] = [await createWorld(), await createWorld()];
    await one.trust("https://app.test/cb");
    expect(await trustedRedirects(other.database, other.tenant).all()).toEqual([]);
  });

  it("A3: blocked URLs are counted, the newest are kept, and those trusted since are forgotten", async () => {
    const { database, tenant } = await createWorld();
    const store = blockedRedirects(database, tenant);
    const asked = (n: number) => ({ client_id: "c", redirect_uri: `https://app.test/${n}`, client_name: "C" });
    await database.run(sql`
      insert into blocked_redirects select ${tenant}, 'c', 'https://app.test/' || value, 'C', 1, value, value
      from json_each(${numbers(limits.blockedRedirects_count)})`);
    await store.note(asked(1_000), 1_000);
    await store.note(asked(1_000), 1_001);
    const page = await store.page();
    expect(page).toHaveLength(limits.blockedRedirects_count);
    expect(page[0]).toMatchObject({
      redirect_uri: "https://app.test/1000",
      attempts: 2,
      first_at: 1_000,
      last_at: 1_001,
    });
    expect(page.some(({ redirect_uri }) => redirect_uri === "https://app.test/1")).toBe(false);
    await store.forget(["https://app.test/1000", "https://app.test/100"]);
    expect(await store.page()).toHaveLength(limits.blockedRedirects_count - 2);
  });
});
