/** CR-01 to CR-20 and A5: who a client id is. */
import { eq } from "drizzle-orm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clients } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { cleanName, parseDocumentUrl, resolveClient } from "../../../src/oauth/clients/index.ts";
import { agentsRepository, authenticateClient, findClient, noteAgent } from "../../../src/oauth/index.ts";
import { addRegistered, createWorld, register, type World } from "./clients-support.ts";

const url = "https://app.example.com/oauth/client.json";
const document = {
  client_id: url,
  client_name: "Example",
  redirect_uris: ["https://app.example.com/cb"],
  token_endpoint_auth_method: "none",
};
const publicKey = {
  kty: "EC",
  crv: "P-256",
  x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
  y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
};

const outcome = async ({ visit }: World, client_id: string): Promise<string> => {
  const found = await resolveClient(visit, client_id);
  return found.ok ? found.value.kind : `${found.error.stop}: ${found.error.reason}`;
};

async function published(more: Record<string, unknown> = {}): Promise<World> {
  const world = await createWorld();
  world.publish({ ...document, ...more });
  return world;
}

describe("metadata documents", () => {
  it("A5: a client is read from its document, fetched once", async () => {
    const world = await published({ software_id: "x", contacts: ["a@b.test"], logo_uri: "https://cdn.test/l.png" });
    const found = await findClient(world.visit, url);
    await findClient(world.visit, url);
    expect(found).toEqual({
      ok: true,
      value: {
        ...{ id: url, kind: "document", name: "Example", domain: "app.example.com", authentication: "none" },
        ...{ redirect_uris: document.redirect_uris, keys: undefined, pre_approved: false, workloads: [] },
        grant_types: new Set(["authorization_code", "refresh_token"]),
      },
    });
    expect(world.seen).toEqual([url]);
  });

  it.each([
    ["https://app.example.com/oauth/client.json/", "a slash more"],
    ["https://app.example.com/oauth/Client.json", "another case"],
    ["https://app.example.com:443/oauth/client.json", "the default port"],
    ["https://app.example.com/oauth/client%2Ejson", "an escape"],
    ["https://APP.example.com/oauth/client.json", "the host in upper case"],
    [undefined, "none"],
    [["https://app.example.com/oauth/client.json"], "an array"],
  ])("CR-01: a document whose client_id is %s (%s) is refused", async (client_id, _how) => {
    const world = await createWorld();
    world.serve("app.example.com", () => Response.json({ ...document, client_id }));
    expect(await outcome(world, url)).toBe("client_document_invalid: document_client_id");
  });

  it.each([
    "https://app.example.com",
    "https://app.example.com/",
    "https://app.example.com/a/../client.json",
    "https://app.example.com/a/./client.json",
    "https://app.example.com/a/%2e%2e/client.json",
    "https://app.example.com/a/%2E/client.json",
    "https://app.example.com/client.json#a",
    "https://app.example.com/client.json#",
    "https://user@app.example.com/client.json",
    "https://user:pass@app.example.com/client.json",
    "https://app.example.com/cli\tent.json",
    "https://app.example.com/client.json\n",
    "https://app.example.com/client.json ",
    "https:/app.example.com/client.json",
    "https:\\\\app.example.com\\client.json",
    "https://app.example.com\\client.json",
    "https://App.example.com/client.json",
    "https://app.example.com:443/client.json",
    "https://аpp.example.com/client.json",
    `https://app.example.com/${"a".repeat(limits.authorizationParameter_chars)}`,
  ])("CR-02: %j is no client id", async (client_id) => {
    const world = await createWorld();
    expect(await outcome(world, client_id)).toMatch(/^client_unknown: /);
    expect(world.seen).toEqual([]);
  });

  it.each([
    "http://app.example.com/client.json",
    "HTTPS://app.example.com/client.json",
    "ftp://app.example.com/c",
    "client",
    "",
  ])("CR-02: %j is not even asked for", async (client_id) => {
    const world = await createWorld();
    expect(await outcome(world, client_id)).toBe("client_unknown: client_unknown");
    expect(world.seen).toEqual([]);
  });

  it("CR-02: what passes is fetched as it is written", () => {
    const piece = fc.constantFrom(
      "a",
      "/",
      "/b",
      "..",
      "/./",
      "%2e",
      ":443",
      ":8443",
      "@",
      "?q=1",
      "#",
      "\\",
      "A",
      "é",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        const text = `https://app.example.com${pieces.join("")}`;
        const parsed = parseDocumentUrl(text);
        if (parsed !== undefined && (parsed.href !== text || parsed.pathname.length < 2)) throw new Error(text);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    "https://127.0.0.1/c.json",
    "https://[::1]/c.json",
    "https://10.0.0.1/c.json",
    "https://localhost/c.json",
    "https://169.254.169.254/latest",
  ])("CR-03: nothing is sent to %s", async (client_id) => {
    const world = await createWorld();
    expect(await outcome(world, client_id)).toMatch(/^client_document_invalid: /);
    expect(world.seen).toEqual([]);
  });

  it("CR-04: a redirect is not followed", async () => {
    const world = await createWorld();
    world.serve("app.example.com", () => Response.redirect("https://app.example.com/other.json", 302));
    expect(await outcome(world, url)).toMatch(/^client_document_invalid: /);
    expect(world.seen).toEqual([url]);
  });

  it.each([
    [{ client_secret: "s" }, "document_secret"],
    [{ client_secret_expires_at: 0 }, "document_secret"],
    [{ token_endpoint_auth_method: "client_secret_basic" }, "metadata_token_endpoint_auth_method"],
    [{ token_endpoint_auth_method: "client_secret_post" }, "metadata_token_endpoint_auth_method"],
    [{ token_endpoint_auth_method: "client_secret_jwt" }, "metadata_token_endpoint_auth_method"],
    [{ jwks: { keys: [{ ...publicKey, d: "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI" }] } }, "metadata_jwks_secret"],
    [{ jwks: { keys: [{ kty: "oct", k: "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ" }] } }, "metadata_jwks_secret"],
  ])("CR-07: %j is refused", async (more, reason) => {
    expect(await outcome(await published(more), url)).toBe(`client_document_invalid: ${reason}`);
  });

  it.each([
    [{ jwks_uri: "http://app.example.com/jwks" }, "metadata_jwks_uri"],
    [{ logo_uri: "javascript:alert(1)" }, "metadata_logo_uri"],
    [{ logo_uri: "http://app.example.com/l.png" }, "metadata_logo_uri"],
    [{ policy_uri: "data:text/html,x" }, "metadata_policy_uri"],
    [{ tos_uri: "java\tscript:alert(1)" }, "metadata_tos_uri"],
    [{ client_uri: "javascript:alert(1)" }, "metadata_client_uri"],
  ])("CR-08: %j is refused", async (more, reason) => {
    expect(await outcome(await published(more), url)).toBe(`client_document_invalid: ${reason}`);
  });

  it.each([
    [{ client_name: undefined }, "document_client_name"],
    [{ client_name: "\u202e\u200b " }, "document_client_name"],
    [{ client_name: 7 }, "metadata_client_name"],
    [{ redirect_uris: undefined }, "metadata_redirect_uris"],
    [{ redirect_uris: [] }, "metadata_redirect_uris"],
    [{ redirect_uris: "https://app.example.com/cb" }, "metadata_redirect_uris"],
    [{ redirect_uris: ["https://*.example.com/cb"] }, "redirect_wildcard"],
    [{ redirect_uris: ["http://app.example.com/cb"] }, "redirect_http"],
    [{ token_endpoint_auth_method: "private_key_jwt" }, "metadata_jwks_missing"],
    [{ jwks: { keys: [publicKey] }, jwks_uri: "https://app.example.com/k" }, "metadata_jwks_twice"],
    [{ grant_types: ["client_credentials"] }, "metadata_grant_types"],
    [{ response_types: ["token"] }, "metadata_response_types"],
  ])("CR-06: a document with %j is refused", async (more, reason) => {
    expect(await outcome(await published(more), url)).toBe(`client_document_invalid: ${reason}`);
  });

  it("CR-10: an invalid document is not kept", async () => {
    const world = await published({ client_name: "" });
    expect(await outcome(world, url)).toMatch(/^client_document_invalid/);
    world.publish(document);
    world.clock.advance(limits.documentCooldown_ms + 1);
    expect(await outcome(world, url)).toBe("document");
  });

  it.each([
    ["https://example.com/c.json", "document"],
    ["https://a.b.example.com/c.json", "document"],
    ["https://evilexample.com/c.json", "client_domain_untrusted: client_domain_untrusted"],
    ["https://example.com.evil.com/c.json", "client_domain_untrusted: client_domain_untrusted"],
    ["https://example.co/c.json", "client_domain_untrusted: client_domain_untrusted"],
  ])("CR-13: where only example.com is trusted, %s is %s", async (client_id, expected) => {
    const world = await createWorld();
    world.publish({ ...document, client_id });
    const visit = world.with({ documents: "domains", document_domains: ["example.com"] });
    expect(await outcome({ ...world, visit }, client_id)).toBe(expected);
    expect(world.seen).toEqual(expected === "document" ? [client_id] : []);
  });

  it("CR-13: documents can be switched off", async () => {
    const world = await published();
    expect(await outcome({ ...world, visit: world.with({ documents: "off" }) }, url)).toMatch(
      /^client_domain_untrusted/,
    );
    expect(world.seen).toEqual([]);
  });

  it("CR-11: parallel requests for one client fetch its document once", async () => {
    const world = await published();
    const found = await Promise.all(Array.from({ length: 50 }, () => outcome(world, url)));
    expect(new Set(found)).toEqual(new Set(["document"]));
    expect(world.seen).toEqual([url]);
  });

  it("CR-12: other documents of a host are refused past its budget", async () => {
    const world = await createWorld();
    world.serve("app.example.com", () => new Response("", { status: 404 }));
    for (let n = 0; n < limits.documentsPerHost_count; n += 1) {
      await resolveClient(world.from(`198.51.${n}.0/24`), `${url}?${n}`);
    }
    expect(await outcome(world, url)).toBe("too_many_requests: document_host_budget");
    expect(world.seen).toHaveLength(limits.documentsPerHost_count);
  });

  it("CR-12: documents that one network invented are refused to it past its budget", async () => {
    const world = await createWorld();
    for (let n = 0; n < limits.documentsPerNetwork_count; n += 1) {
      await resolveClient(world.visit, `https://h${n}.example.com/c`);
    }
    world.publish(document);
    expect(await outcome(world, url)).toBe("too_many_requests: document_network_budget");
    expect(await outcome({ ...world, visit: world.from("198.51.100.0/24") }, url)).toBe("document");
    expect(await outcome(world, url)).toBe("document");
  });

  it("CR-10: an invalid document is fetched once for each request, and leaves nothing behind", async () => {
    const world = await published({ client_name: "" });
    expect(await outcome(world, url)).toBe("client_document_invalid: document_client_name");
    expect(world.seen).toEqual([url]);
    world.publish(document);
    expect(await outcome(world, url)).toBe("document");
  });

  it("CR-10: a client whose document turned invalid is refused, and does not come back while its host is down", async () => {
    const world = await published();
    expect(await outcome(world, url)).toBe("document");
    world.clock.advance(limits.documentLife_ms_max);
    const other = { ...document, client_id: "https://app.example.com/other.json" };
    world.serve("app.example.com", () => Response.json(other));
    expect(await outcome(world, url)).toBe("client_document_invalid: document_client_id");
    world.serve("app.example.com", () => new Response("", { status: 503 }));
    expect(await outcome(world, url)).toBe("unavailable: document_status");
  });

  it("CR-17: nothing is inherited and unknown members mean nothing", async () => {
    const world = await createWorld();
    const text = `{"constructor":{"client_name":"x"},"software_statement":"e30.e30.","client_id":"${url}","redirect_uris":["https://app.example.com/cb"],"toString":1}`;
    world.serve("app.example.com", () => new Response(text, { headers: { "content-type": "application/json" } }));
    expect(await outcome(world, url)).toBe("client_document_invalid: document_client_name");
  });
});

describe("clients by id", () => {
  it("A5: a registered client with OAuth is found", async () => {
    const world = await createWorld();
    const id = await addRegistered(world, { authentication: "client_secret_basic", pre_approved: true });
    expect(await findClient(world.visit, id)).toMatchObject({
      ok: true,
      value: { id, kind: "registered", pre_approved: true },
    });
  });

  it("A1: a public client is never pre-approved", async () => {
    const world = await createWorld();
    const id = await addRegistered(world, { authentication: "none", pre_approved: true });
    expect(await findClient(world.visit, id)).toMatchObject({ ok: true, value: { pre_approved: false } });
  });

  it("AS-23: a registered client without OAuth is unknown", async () => {
    const world = await createWorld();
    expect(await outcome(world, await addRegistered(world, null))).toBe("client_unknown: client_unknown");
  });

  it("AS-23: a disabled registered client is unknown", async () => {
    const world = await createWorld();
    expect(await outcome(world, await addRegistered(world, {}, false))).toBe("client_unknown: client_unknown");
  });

  it("TN-01: a client of another tenant is unknown", async () => {
    const [one, other] = [await createWorld(), await createWorld()];
    expect(await outcome(other, await addRegistered(one))).toBe("client_unknown: client_unknown");
  });

  it("CR-14: a client that registered itself ends when nobody uses it", async () => {
    const world = await createWorld();
    const { body } = await register(world.visit, {
      redirect_uris: ["http://localhost/cb"],
      token_endpoint_auth_method: "none",
    });
    const id = String(body["client_id"]);
    expect(await outcome(world, id)).toBe("dynamic");
    world.clock.advance(limits.dynamicClient_ms);
    expect(await outcome(world, id)).toBe("client_unknown: client_unknown");
  });

  it("CR-14: its use extends it", async () => {
    const world = await createWorld();
    const { body } = await register(world.visit, {
      redirect_uris: ["http://localhost/cb"],
      token_endpoint_auth_method: "none",
    });
    const id = String(body["client_id"]);
    world.clock.advance(limits.dynamicClient_ms - 1);
    await authenticateClient(world.visit, new Headers(), new URLSearchParams({ client_id: id }));
    world.clock.advance(limits.dynamicClient_ms - 1);
    expect(await outcome(world, id)).toBe("dynamic");
  });

  it("S10: an agent that an administrator switched off is blocked, and its host is not asked", async () => {
    const world = await published();
    const found = await findClient(world.visit, url);
    if (found.ok) await noteAgent(world.visit, { client: found.value });
    await agentsRepository(world.database, world.tenant).setDisabled(url, true, world.clock.now());
    world.seen.length = 0;
    world.clock.advance(limits.documentLife_ms_max);
    expect(await outcome(world, url)).toBe("client_blocked: client_blocked");
    expect(world.seen).toEqual([]);
  });

  it("AS-23: the row decides, not what was known before", async () => {
    const world = await createWorld();
    const id = await addRegistered(world);
    expect(await outcome(world, id)).toBe("registered");
    await world.database.update(clients).set({ enabled: false }).where(eq(clients.id, id));
    expect(await outcome(world, id)).toBe("client_unknown: client_unknown");
  });
});

describe("names", () => {
  it.each([
    ["<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"],
    ["Goo\u200bgle\u202e nigoL", "Google nigoL"],
    ["a\r\nb\tc\u2028d", "a b c d"],
    ["\u2066Claude\u2069\ufeff", "Claude"],
    ["\u3164\u115f\u2800", ""],
    ["Z\u0300\u0301\u0302\u0303\u0304\u0305", "Z\u0300\u0301\u0302"],
    ["\ud83d\ude00", "\ud83d\ude00"],
    ["a\ud83d", "a"],
  ])("CR-16: %j is shown as %j", (name, shown) => {
    expect(cleanName(name)).toBe(shown);
  });

  it("CR-16: a shown name is one bounded line that shows all it holds, and stays what it is", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 200 }), (units) => {
        const text = String.fromCharCode(...units);
        const name = cleanName(text);
        const isClean = !/[\p{C}\p{Zl}\p{Zp}]|^\s|\s$|\s\s|\p{M}{4}/u.test(name);
        if (!isClean || name.length > limits.clientName_chars || cleanName(name) !== name || !name.isWellFormed()) {
          throw new Error(JSON.stringify([text, name]));
        }
      }),
      { numRuns: 100 },
    );
  });

  it("CR-16: 10 KB of a name are cut", () => {
    expect(cleanName("\u{1F600}".repeat(5_000)).length).toBeLessThanOrEqual(limits.clientName_chars);
  });
});
