/** Workload identity: tokens of CI systems and clusters stand for a registered client, and only for that one. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { sign, signText, type Signer } from "../trust/support.ts";
import {
  authEvents,
  createSigner,
  createWorld,
  jwtBearer,
  origin,
  publishIssuer,
  written,
  type Asked,
  type World,
} from "./assertions-support.ts";

const issuer = "https://token.ci.example";
const repository = "acme/deploy";

let world: World;
let signer: Signer;
let other: Signer;
let client_id: string;

beforeAll(async () => {
  signer = await createSigner("w1", "RS256");
  other = await createSigner("w1", "RS256");
});

beforeEach(async () => {
  world = await createWorld();
  client_id = await world.addClient({ workloads: [{ issuer, claims: { repository } }] });
  publishIssuer({ set: world.serve }, issuer, signer);
});

let serial = 0;
const claims = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  iss: issuer,
  sub: `repo:${repository}:ref:refs/heads/main`,
  aud: `${origin}/oauth/token`,
  repository,
  iat: world.seconds(),
  exp: world.seconds() + 300,
  jti: `w-${(serial += 1)}`,
  ...more,
});

const ask = async (
  more?: Record<string, unknown>,
  parameters: Record<string, string> = {},
  by = signer,
  network?: string,
) => world.ask({ grant_type: jwtBearer, assertion: await sign(by, claims(more)), ...parameters }, {}, network);

/** Nobody proved anything: it is counted, and nothing else happens. */
async function expectUnknown(asked: Asked, reason: string): Promise<void> {
  expect([asked.status, asked.error]).toEqual([400, "invalid_grant"]);
  expect(asked.body["error_description"]).toBe("The assertion is not valid here");
  expect(world.unknown).toEqual([reason]);
  expect(world.events).toEqual([]);
  expect((await world.rows()).used_ids).toBe(0);
}

it("A10: a workload gets a token of its client, without naming it and without a secret", async () => {
  const asked = await ask();
  expect(asked.status).toBe(200);
  expect(Object.keys(asked.body).toSorted()).toEqual(["access_token", "expires_in", "scope", "token_type"]);
  expect(await world.claims(asked)).toMatchObject({ client_id, subject: client_id, registered: true, user: undefined });
  expect(authEvents(world)).toMatchObject([{ action: "token.issue", outcome: "ok", actor: { agent: client_id } }]);
  expect(world.unknown).toEqual([]);
  expect(written(world)).not.toContain(String(asked.body["access_token"]));
});

it("A10: the resource that it names is the audience", async () => {
  const resource = `${origin}/mcp/github`;
  expect(await world.claims(await ask({}, { resource }), resource)).toMatchObject({ audience: resource });
});

it("A10: it may name its client, and then means that one", async () => {
  expect((await ask({}, { client_id })).status).toBe(200);
  const another = await world.addClient({ workloads: [{ issuer, claims: { repository: "acme/other" } }] });
  const asked = await ask({}, { client_id: another });
  expect(asked.error).toBe("invalid_grant");
  expect(world.unknown).toEqual(["workload_unknown"]);
});

it("A10: keys may be named in the configuration instead of discovered, and the audience too", async () => {
  const audience = "gatehouse-of-acme";
  client_id = await world.addClient({
    workloads: [{ issuer, jwks_uri: `${issuer}/keys`, audience, claims: { repository: "acme/named" } }],
  });
  const named = { repository: "acme/named", aud: ["other", audience] };
  expect(await world.claims(await ask(named))).toMatchObject({ client_id });
  expect(world.seen).toEqual([`${issuer}/keys`]);
  expect((await ask({ repository: "acme/named" })).error).toBe("invalid_grant");
  expect(world.unknown).toEqual(["jwt_audience"]);
});

it("A10: a client may have workloads at several issuers, and the rules of one are not those of another", async () => {
  const elsewhere = "https://cluster.example";
  const rule = { repository: "acme/both" };
  client_id = await world.addClient({
    workloads: [
      { issuer: elsewhere, claims: rule },
      { issuer: elsewhere, claims: { repository: "acme/cluster-only" } },
      { issuer, claims: rule },
    ],
  });
  expect(await world.claims(await ask(rule))).toMatchObject({ client_id });
  expect((await ask({ repository: "acme/cluster-only" })).error).toBe("invalid_grant");
  expect(world.unknown).toEqual(["workload_unknown"]);
});

describe("who is not the workload", () => {
  it.each<readonly [string, Record<string, unknown>, string]>([
    ["A10: another repository", { repository: "acme/deploy2" }, "workload_unknown"],
    ["A10: a claim in other letters", { repository: "Acme/Deploy" }, "workload_unknown"],
    ["A10: a claim that is a list", { repository: [repository] }, "workload_unknown"],
    ["A10: no such claim", { repository: undefined }, "workload_unknown"],
    ["RP-11: an issuer with a slash", { iss: `${issuer}/` }, "workload_issuer"],
    ["RP-11: an issuer in capitals", { iss: "https://TOKEN.ci.example" }, "workload_issuer"],
    ["RP-11: part of the issuer", { iss: "https://token.ci" }, "workload_issuer"],
    ["RP-10: no subject", { sub: undefined }, "jwt_claim_missing"],
    ["RP-10: another audience", { aud: "https://b.gw.test" }, "jwt_audience"],
    ["RP-18: an expired one", { iat: 1, exp: 2 }, "jwt_expired"],
  ])("%s is refused", async (_title, more, reason) => {
    await expectUnknown(await ask(more), reason);
  });

  it("A10: one that lives longer than an hour is refused", async () => {
    await expectUnknown(await ask({ exp: world.seconds() + limits.workloadLife_ms_max / 1000 + 1 }), "jwt_life");
  });

  it("RP-09: a signature of somebody else is refused", async () => {
    await expectUnknown(await ask({}, {}, other), "jwt_signature");
  });

  it("RP-01: an unsigned one is refused", async () => {
    const encode = (value: unknown): string =>
      btoa(JSON.stringify(value)).replace(/=+$/, "").replaceAll("/", "_").replaceAll("+", "-");
    const assertion = `${encode({ alg: "none" })}.${encode(claims())}.AAAA`;
    await expectUnknown(await world.ask({ grant_type: jwtBearer, assertion }), "jwt_algorithm");
  });

  it("RP-10: rules and a reader of the last claim never disagree", async () => {
    const es256 = await createSigner("w1");
    const text = JSON.stringify(claims({ repository: "evil/fork" })).replace(/\}$/, `,"repository":"${repository}"}`);
    const assertion = await signText(es256, '{"alg":"ES256","kid":"w1"}', text);
    await expectUnknown(await world.ask({ grant_type: jwtBearer, assertion }), "assertion_malformed");
  });

  it("A10: rules of two clients that both hold are refused", async () => {
    await world.addClient({ workloads: [{ issuer, claims: { repository } }] });
    await expectUnknown(await ask(), "workload_ambiguous");
  });

  it("RP-07: an access token of ours or of others is no workload", async () => {
    const assertion = await sign(signer, claims(), { typ: "at+jwt" });
    await expectUnknown(await world.ask({ grant_type: jwtBearer, assertion }), "jwt_type");
  });

  it("RP-14: an issuer whose discovery document names another issuer is refused", async () => {
    publishIssuer({ set: (_host, answer) => world.serve("token.ci.example", answer) }, "https://evil.example", signer);
    await expectUnknown(await ask(), "discovery_issuer");
  });

  it("A10: wrong client credentials beside a good assertion are refused", async () => {
    const assertion = await sign(signer, claims());
    const headers = { authorization: `Basic ${btoa(`${client_id}:wrong`)}` };
    const asked = await world.ask({ grant_type: jwtBearer, assertion }, headers);
    expect([asked.status, asked.error]).toEqual([401, "invalid_client"]);
    expect(world.events).toEqual([]);
  });
});

describe("who presents what is not valid", () => {
  const forged = (more: Record<string, unknown>): Promise<Asked> => ask(more, {}, other);

  it("A10: a word of the rules is no issuer", async () => {
    await expectUnknown(await ask({ iss: "workloads" }), "workload_issuer");
  });

  it("A10: is held off with invented issuers before anything is looked up, from its network only", async () => {
    for (let count = 0; count < limits.unknownIssuers_count; count += 1) {
      expect((await forged({ iss: `https://i${count}.example` })).error).toBe("invalid_grant");
    }
    const asked = await ask();
    expect([asked.status, asked.error]).toEqual([429, "slow_down"]);
    expect(asked.headers.get("retry-after")).toBe("300");
    expect(world.unknown.at(-1)).toBe("assertion_held_off");
    expect(world.events).toEqual([]);
    expect((await ask({}, {}, signer, "198.51.100.0/24")).status).toBe(200);
    world.advance(limits.assertionFailures_ms);
    expect((await ask()).status).toBe(200);
  });

  it("A10: is held off at one issuer of ours, and not at another", async () => {
    const elsewhere = "https://cluster.example";
    await world.addClient({ workloads: [{ issuer: elsewhere, claims: { repository } }] });
    publishIssuer({ set: world.serve }, elsewhere, signer);
    for (let count = 0; count < limits.assertionFailures_count; count += 1) {
      expect((await forged(count % 2 === 0 ? {} : { repository: "acme/no" })).error).toBe("invalid_grant");
    }
    expect((await ask()).error).toBe("slow_down");
    expect((await ask({ iss: elsewhere })).status).toBe(200);
  });

  it("A10: of parallel ones those past the maximum learn nothing", async () => {
    const all = await Promise.all(
      Array.from({ length: 3 * limits.unknownIssuers_count }, (_, n) => forged({ iss: `https://i${n}.example` })),
    );
    expect(all.filter(({ error }) => error === "invalid_grant")).toHaveLength(limits.unknownIssuers_count);
    expect(all.filter(({ error }) => error === "slow_down")).toHaveLength(2 * limits.unknownIssuers_count);
  });

  it("A10: an issuer that is down holds nobody off", async () => {
    world.close("token.ci.example");
    for (let count = 0; count <= limits.assertionFailures_count; count += 1) {
      expect((await ask()).error).toBe("temporarily_unavailable");
    }
  });

  it("A10: a client that authenticates is not held off for others of its network", async () => {
    await world.addSecret(client_id, "s".repeat(43));
    for (let count = 0; count <= limits.unknownIssuers_count; count += 1) {
      await forged({ iss: `https://i${count}.example` });
    }
    const [assertion, headers] = [await sign(signer, claims()), { authorization: `Basic ${btoa(`${client_id}:x`)}` }];
    expect((await world.ask({ grant_type: jwtBearer, assertion }, headers)).error).toBe("invalid_client");
  });
});

it("A10: rules are told apart among many clients of one issuer, and no more rows are read than decide", async () => {
  for (let count = 0; count < 50; count += 1) {
    await world.addClient({ workloads: [{ issuer, claims: { repository: `acme/${count}`, environment: "prod" } }] });
  }
  const wanted = await world.addClient({
    workloads: [{ issuer, claims: { repository: "acme/7", environment: "stage", 'a.b"$': 'x"y' } }],
  });
  const told = { repository: "acme/7", environment: "stage", 'a.b"$': 'x"y', other: ["x"] };
  expect(await world.claims(await ask(told))).toMatchObject({ client_id: wanted });
  expect((await ask({ ...told, environment: "test" })).error).toBe("invalid_grant");
});

it("RP-17: while the issuer is down it says so, and nothing is used up", async () => {
  world.close("token.ci.example");
  const parameters = { grant_type: jwtBearer, assertion: await sign(signer, claims()) };
  const asked = await world.ask(parameters);
  expect([asked.status, asked.error]).toEqual([503, "temporarily_unavailable"]);
  publishIssuer({ set: world.serve }, issuer, signer);
  expect((await world.ask(parameters)).status).toBe(200);
});

it("TK-22: a client that is not registered for the grant is refused", async () => {
  await world.addClient({
    grant_types: ["authorization_code"],
    workloads: [{ issuer, claims: { repository: "acme/no" } }],
  });
  const asked = await ask({ repository: "acme/no" });
  expect([asked.status, asked.error]).toEqual([400, "unauthorized_client"]);
  expect(authEvents(world)).toMatchObject([{ action: "token.refuse", reason: "grant_type_not_registered" }]);
});

it("A10: a resource of somebody else is refused and uses nothing up", async () => {
  const asked = await ask({}, { resource: "https://b.gw.test/mcp" });
  expect([asked.status, asked.error]).toEqual([400, "invalid_target"]);
  expect(authEvents(world)).toMatchObject([{ action: "token.refuse", reason: "resource_unknown" }]);
  expect((await world.rows()).used_ids).toBe(0);
});

it("A10: it may come again while it lives, as the tokens of a cluster do", async () => {
  const parameters = { grant_type: jwtBearer, assertion: await sign(signer, claims()) };
  expect((await world.ask(parameters)).status).toBe(200);
  expect((await world.ask(parameters)).status).toBe(200);
});

it.each([
  ["nothing", {}],
  ["no JWT", { assertion: "not a token" }],
  ["a JWT without issuer", { assertion: "e30.e30.AAAA" }],
])("TK-22: %s is no assertion", async (_title, parameters) => {
  const asked = await world.ask({ grant_type: jwtBearer, ...parameters });
  expect(asked.status).toBe(400);
  expect(world.unknown).toHaveLength(1);
  expect(world.events).toEqual([]);
});
