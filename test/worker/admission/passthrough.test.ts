import { beforeAll, describe, expect, it, vi } from "vitest";
import { limits } from "../../../src/limits.ts";
import { objectAt, requestEvents, type Seen } from "../gateway/support.ts";
import { answeredText, ask, challengeOf, dumpDatabase, expectRefused, secretsIn } from "../security/support.ts";
import {
  call,
  createPassthroughWorld,
  origin,
  passthrough,
  pathOf,
  reached,
  type PassthroughWorld,
} from "./passthrough-support.ts";

let world: PassthroughWorld;
let client: { id: string; token: string };
let stranger: { id: string; token: string };

const keyed = {
  authentication: { type: "api_key_header", header: "DD-API-KEY" },
  credential: { type: "api_key_header", key: "organisation-key" },
};
const borne = { authentication: { type: "bearer" }, credential: { type: "bearer", token: "organisation-token" } };

beforeAll(async () => {
  world = await createPassthroughWorld();
  await world.add("open", passthrough({ anonymous: "allow" }));
  await world.add("closed", passthrough());
  await world.add("paid", passthrough({ anonymous: "allow_with_credential" }), keyed);
  await world.add("borne", passthrough({ anonymous: "allow_with_credential" }), borne);
  await world.add("unpaid", passthrough({ anonymous: "allow" }), keyed);
  await world.add("off", passthrough({ anonymous: "allow" }), { enabled: false });
  await world.add("usual", { agent_authentication: { type: "any" } });
  client = await world.tenant.addClient(["open", "closed", "paid", "usual"]);
  stranger = await world.tenant.addClient([]);
});

const lastEvent = () => requestEvents(world.harness).at(-1);

/** What the upstream of this server saw of a call that went well. */
async function relayed(slug: string, headers: Record<string, string> = {}): Promise<Seen> {
  const before = reached(world, slug).length;
  const { status, text } = await ask(world.harness, pathOf(slug), call(headers));
  const seen = reached(world, slug).slice(before).at(-1);
  if (status !== 200 || seen === undefined || text.includes('"error"')) throw new Error(`${status} ${text}`);
  return seen;
}

describe("a call to a passthrough server without any credential", () => {
  it("A6: is that of anonymous, where an administrator lets anybody in", async () => {
    const seen = await relayed("open");
    expect(lastEvent()).toMatchObject({
      actor: { agent: "anonymous:open" },
      target: { server: "open", name: "echo" },
      decision: { effect: "allow", policy: "passthrough:anonymous" },
    });
    expect(lastEvent()?.actor).not.toHaveProperty("user");
    expect(seen.headers.has("authorization")).toBe(false);
  });

  it("A6: the nightly script gets the organisation's key, where an administrator said so", async () => {
    const seen = await relayed("paid");
    expect([seen.headers.get("dd-api-key"), seen.headers.has("authorization")]).toEqual(["organisation-key", false]);
    expect(lastEvent()).toMatchObject({ actor: { agent: "anonymous:paid" } });
  });

  it("A6: nobody gets the organisation's key by being let in", async () => {
    const before = reached(world, "unpaid").length;
    const { text } = await ask(world.harness, pathOf("unpaid"), call());
    expect(secretsIn(text, ["organisation-key"])).toEqual([]);
    expect(reached(world, "unpaid").slice(before)).toEqual([]);
  });
});

describe("the caller's own Authorization", () => {
  it.each([
    "Bearer upstream-token",
    "bearer  two-spaces",
    "Basic dXNlcjpwYXNz",
    "Token token=abc",
    "a-key-without-a-scheme",
    'Digest username="Mufasa", realm="a@b, c d", uri="/dir/index.html", qop=auth',
    "AWS4-HMAC-SHA256 Credential=AKID/20260728/us-east-1/s3/aws4_request, SignedHeaders=host;range, Signature=fe5f80",
    'Signature keyId="k",headers="(request-target) host date", signature="a+b/c=="',
    "Bearer ghs_16C7e42F292c6912E7710c838347Ae178B4a",
    `Bearer gho_${"a".repeat(36)}`,
    "Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL290aGVyLnRlc3QifQ.c2ln",
    `Bearer ${"x".repeat(16_000)}`,
  ])("A6: goes on as it came: %s", async (authorization) => {
    const seen = await relayed("open", { authorization });
    expect(seen.headers.get("authorization")).toBe(new Headers({ authorization }).get("authorization"));
  });

  it("A6: goes to that server and to no other", async () => {
    const before = world.harness.seen.length;
    await relayed("open", { authorization: "Bearer only-for-open" });
    await ask(world.harness, pathOf("usual"), call({ authorization: `Bearer ${client.token}` }));
    const seen = world.harness.seen.slice(before).filter(({ headers }) => headers.has("authorization"));
    expect(new Set(seen.map(({ url }) => new URL(url).hostname))).toEqual(new Set(["open.upstream.test"]));
  });

  it("HD-06: gives way to the credential that Gatehouse sets there", async () => {
    const seen = await relayed("borne", { authorization: "Bearer mine" });
    expect(seen.headers.get("authorization")).toBe("Bearer organisation-token");
  });

  it("A6: is in no event, row, log line or answer", async () => {
    const authorization = "Bearer canary-passthrough-4Jq8Zt";
    const lines: unknown[] = [];
    const spies = (["log", "debug", "info", "warn", "error"] as const).map((level) =>
      vi.spyOn(console, level).mockImplementation((...line) => void lines.push(line)),
    );
    const answered = await ask(
      world.harness,
      pathOf("open"),
      call({ authorization, "x-api-key": "canary-header-7Wp3" }),
    );
    const refused = await ask(world.harness, pathOf("open"), call({ authorization: `${authorization}, Basic abc` }));
    for (const spy of spies) spy.mockRestore();
    const everything =
      JSON.stringify([world.harness.events, lines, refused.text]) + answeredText(answered) + (await dumpDatabase());
    expect(secretsIn(everything, ["canary-passthrough-4Jq8Zt", "canary-header-7Wp3"])).toEqual([]);
  });

  it.each([
    ["two with one scheme", ["Bearer one", "Bearer two"]],
    ["two schemes", ["Bearer one", "Basic dXNlcjpwYXNz"]],
    ["a good one behind quotes", ['Digest a="b, c", d=e', "Bearer two"]],
  ])("A6, RS-03: two of them are refused: %s (RFC 9110 section 5.3)", async (_title, values) => {
    const init = call();
    const headers = new Headers(init.headers);
    for (const value of values) headers.append("authorization", value);
    await expectRefused(
      world.harness,
      pathOf("open"),
      { ...init, headers },
      {
        status: 400,
        challenge: "none",
        event: ["auth.failed", "authorization_ambiguous"],
      },
    );
  });

  it.each(["caf\u00e9", "Bearer a\u0001b", "Bearer a\tb"])(
    "HD-02: one of other characters is refused: %j",
    async (authorization) => {
      await expectRefused(world.harness, pathOf("open"), call({ authorization }), {
        status: 400,
        challenge: "none",
        event: ["auth.failed", "authorization_characters"],
      });
    },
  );

  it("HD-14: one that is too long is refused", async () => {
    const authorization = "x".repeat(limits.foreignToken_chars + 1);
    await expectRefused(world.harness, pathOf("open"), call({ authorization }), {
      status: 400,
      challenge: "none",
      event: ["auth.failed", "authorization_size"],
    });
  });
});

describe("a caller who wants to be known", () => {
  it.each(["", "Bearer ", "bearer "])("A6: sends '%stoken' in X-Gatehouse-Token beside their own", async (scheme) => {
    const headers = { authorization: "Bearer mine", "x-gatehouse-token": scheme + client.token };
    const seen = await relayed("open", headers);
    expect(lastEvent()).toMatchObject({ actor: { agent: client.id }, decision: { policy: `allow-list:${client.id}` } });
    expect(seen.headers.get("authorization")).toBe("Bearer mine");
    expect(secretsIn(JSON.stringify([...seen.headers]), [client.token])).toEqual([]);
  });

  it("A6: gets through where nobody else does, and gets the organisation's credential", async () => {
    await relayed("closed", { "x-gatehouse-token": client.token });
    const seen = await relayed("paid", { "x-gatehouse-token": client.token });
    expect(seen.headers.get("dd-api-key")).toBe("organisation-key");
  });

  it("A6: is judged as who they are, and not as anonymous", async () => {
    const init = call({ "x-gatehouse-token": stranger.token });
    const denied = await expectRefused(world.harness, pathOf("open"), init, {
      ...{ status: 404, challenge: "none", event: ["mcp.request", "not_on_allow_list"] },
    });
    const absent = await ask(world.harness, pathOf("nothing"), init);
    expect(answeredText(denied)).toBe(answeredText(absent));
  });

  const wrong: readonly (readonly [string, () => string, string])[] = [
    ["unknown", () => `ghc_${"a".repeat(43)}`, "unknown_token"],
    ["empty", () => "", "token_malformed"],
    ["a scheme alone", () => "Bearer", "token_malformed"],
    ["two tokens", () => `${client.token}, ${client.token}`, "token_malformed"],
    ["another scheme", () => `Basic ${btoa(`x:${client.token}`)}`, "token_malformed"],
    ["an administrator's", () => world.tenant.administrator, "wrong_token_kind"],
    ["a foreign JWT", () => "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2EudGVzdCJ9.c2ln", "token_malformed"],
  ];

  it.each(wrong)("RS-09: is never taken for anonymous when their token is %s", async (_title, token, reason) => {
    for (const slug of ["open", "closed", "paid", "nothing", "usual"]) {
      await expectRefused(world.harness, pathOf(slug), call({ "x-gatehouse-token": token() }), {
        status: 401,
        challenge: challengeOf(origin, `/mcp/${slug}`, "invalid_token"),
        event: ["auth.failed", reason],
      });
    }
  });

  it("RS-09: is not known by X-Gatehouse-Token to the admin API", async () => {
    const response = await world.harness.fetch(`${origin}/api/v1/servers`, {
      headers: { "x-gatehouse-token": world.tenant.administrator },
    });
    expect(response.status).toBe(401);
  });
});

describe("a passthrough server that takes nobody unknown", () => {
  const presented: readonly (readonly [string, Record<string, string>])[] = [
    ["nothing", {}],
    ["a random bearer token", { authorization: "Bearer sk-random" }],
    ["a password", { authorization: "Basic dXNlcjpwYXNz" }],
    ["another scheme", { authorization: "Token abc" }],
    ["two headers", { authorization: "Bearer a, Bearer b" }],
    ["a token like ours", { authorization: `Bearer ghc_${"a".repeat(43)}` }],
    ["a JWT of another issuer", { authorization: "Bearer eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2EudGVzdCJ9.c2ln" }],
    ["a wrong token of ours beside", { authorization: "Bearer sk-random", "x-gatehouse-token": "wrong" }],
  ];

  it.each(presented)("RS-09, F8: answers %s as a server does that does not exist", async (_title, headers) => {
    const before = world.harness.events.length;
    const closed = await ask(world.harness, pathOf("closed"), call(headers));
    const absent = await ask(world.harness, pathOf("nothing"), call(headers));
    const off = await ask(world.harness, pathOf("off"), call(headers));
    expect(closed.status).toBe(401);
    const same = ({ status, headers: answered, text }: typeof closed) =>
      JSON.stringify([status, [...answered], text]).replaceAll(/closed|nothing|off/g, "any");
    expect([same(closed), same(off)]).toEqual([same(absent), same(absent)]);
    const reasons = world.harness.events
      .slice(before)
      .map((event) => (event.type === "auth.failed" ? event.reason : ""));
    expect(new Set(reasons).size).toBe(1);
    expect(
      reached(world, "closed").filter(({ headers: seen }) => seen.get("authorization")?.includes("random")),
    ).toEqual([]);
  });
});

describe("a token of Gatehouse in the place of the caller's own", () => {
  const own = (value: string): string => `Bearer ${value}`;
  const issued = (claims: object): string =>
    ["eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9", JSON.stringify(claims), "sig"]
      .map((part, at) =>
        at === 1 ? new TextEncoder().encode(part).toBase64({ alphabet: "base64url", omitPadding: true }) : part,
      )
      .join(".");

  const misplaced: readonly (readonly [string, () => Record<string, string>])[] = [
    ["a machine token", () => ({ authorization: own(client.token) })],
    ["a machine token without scheme", () => ({ authorization: client.token })],
    ["a machine token as a password", () => ({ authorization: `Basic ${btoa(`x:${client.token}`)}` })],
    ["an administrator's token", () => ({ authorization: own(world.tenant.administrator) })],
    ["an access token", () => ({ authorization: own(issued({ iss: origin, aud: pathOf("open") })) })],
    ["an access token in a parameter", () => ({ authorization: `Custom token="${issued({ iss: origin })}"` })],
    ["a refresh token", () => ({ authorization: own(`ghr_test.${"a".repeat(120)}`) })],
    ["a machine token in another header", () => ({ "x-api-key": client.token })],
    ["an access token in another header", () => ({ "x-other": own(issued({ iss: origin })) })],
    [
      "its own, beside the right place",
      () => ({ authorization: own(client.token), "x-gatehouse-token": client.token }),
    ],
  ];

  it.each(misplaced)("PL-15, A6: %s is refused with a hint, and goes nowhere", async (_title, headers) => {
    const refused = await expectRefused(world.harness, pathOf("open"), call(headers()), {
      status: 401,
      challenge: 'Bearer error="invalid_token"',
      event: ["auth.failed", "token_misplaced"],
    });
    expect(refused.text).toContain("X-Gatehouse-Token");
  });

  it("PL-15: the hint is given where anonymous callers are kept out, to whom the server exists for", async () => {
    const refused = await expectRefused(world.harness, pathOf("closed"), call({ authorization: own(client.token) }), {
      status: 401,
      challenge: 'Bearer error="invalid_token"',
      event: ["auth.failed", "token_misplaced"],
    });
    expect(refused.text).toContain("X-Gatehouse-Token");
  });

  it("P1: and to nobody else: for them there is no such server", async () => {
    const init = call({ authorization: own(stranger.token) });
    const denied = await expectRefused(world.harness, pathOf("closed"), init, {
      ...{ status: 404, challenge: "none", event: ["mcp.request", "not_on_allow_list"] },
    });
    expect(answeredText(denied)).toBe(answeredText(await ask(world.harness, pathOf("nothing"), init)));
  });

  it("PL-15: a JWT of another issuer is none of ours, nor is what looks like one", async () => {
    for (const value of [
      issued({ iss: `${origin}/` }),
      issued({ iss: "https://elsewhere.example" }),
      issued([origin]),
      "eyJ.e30.x",
    ]) {
      expect((await relayed("open", { authorization: own(value) })).headers.get("authorization")).toBe(own(value));
    }
  });
});

describe("the aggregate endpoint", () => {
  const listed = async (headers: Record<string, string>): Promise<string> => {
    const init = call(headers);
    const body = JSON.parse(String(init.body)) as { params: Record<string, unknown> };
    const list = { jsonrpc: "2.0", id: 1, method: "tools/list", params: { _meta: body.params["_meta"] } };
    const sent = new Headers(init.headers);
    sent.set("mcp-method", "tools/list");
    sent.delete("mcp-name");
    return (await ask(world.harness, `${origin}/mcp`, { ...init, headers: sent, body: JSON.stringify(list) })).text;
  };

  it("A6: has no passthrough server in its lists, for nobody", async () => {
    const before = reached(world, "open").length + reached(world, "paid").length;
    const text = await listed({ authorization: `Bearer ${client.token}` });
    expect([text.includes("usual__echo"), /open__|paid__|closed__/.test(text)]).toEqual([true, false]);
    expect(reached(world, "open").length + reached(world, "paid").length).toBe(before);
  });

  it("A6: has none to call either: its name is that of nothing", async () => {
    const name = (slug: string) => {
      const init = call({ authorization: `Bearer ${client.token}`, "mcp-name": `${slug}__echo` });
      return { ...init, body: String(init.body).replace('"echo"', `"${slug}__echo"`) };
    };
    const denied = await expectRefused(world.harness, `${origin}/mcp`, name("open"), {
      ...{ status: 200, challenge: "none", event: ["mcp.request", "passthrough_only"] },
    });
    const absent = await ask(world.harness, `${origin}/mcp`, name("nope"));
    expect(denied.text.replaceAll("open", "nope")).toBe(absent.text);
  });

  it("A6: has no anonymous callers", async () => {
    await expectRefused(world.harness, `${origin}/mcp`, call(), {
      status: 401,
      challenge: challengeOf(origin, "/mcp"),
      event: ["auth.failed", "no_credential"],
    });
  });
});

describe("a rule that changes", () => {
  it("A6: keeps anonymous callers out from the next request on", async () => {
    const id = await world.add("changing", passthrough({ anonymous: "allow" }));
    await relayed("changing");
    await world.change(id, passthrough());
    await expectRefused(world.harness, pathOf("changing"), call(), {
      status: 401,
      challenge: challengeOf(origin, "/mcp/changing"),
      event: ["auth.failed", "no_credential"],
    });
  });
});

describe("people and machines", () => {
  it("A1: a machine does not reach a server that is for people only", async () => {
    await world.add("people", { agent_authentication: { type: "interactive" } });
    const machine = await world.tenant.addClient(["people"]);
    const init = call({ authorization: `Bearer ${machine.token}` });
    const denied = await expectRefused(world.harness, pathOf("people"), init, {
      ...{ status: 404, challenge: "none", event: ["mcp.request", "people_only"] },
    });
    expect(answeredText(denied)).toBe(answeredText(await ask(world.harness, pathOf("nothing"), init)));
  });

  it("A9: it reaches one that is for machines only", async () => {
    await world.add("machines", { agent_authentication: { type: "machine" } });
    const machine = await world.tenant.addClient(["machines"]);
    const { status, text } = await ask(
      world.harness,
      pathOf("machines"),
      call({ authorization: `Bearer ${machine.token}` }),
    );
    expect([status, objectAt(JSON.parse(text), "result")["isError"]]).toEqual([200, undefined]);
  });
});
