import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decide, reach, type Question } from "../../../src/policy/index.ts";

type Server = NonNullable<Question["server"]>;
type Rule = Server["agent_authentication"];

const server = (agent_authentication: Rule, more: Partial<Server> = {}): Server => ({
  ...{ id: "s1", slug: "up", enabled: true, access: { everyone: true, groups: [] }, agent_authentication },
  ...more,
});
const client = { id: "c1", enabled: true, servers: new Set(["s1"]) };
const user = { groups: new Set<string>(), chosen: new Set(["s1"]) };

const machine = { client, user: undefined };
const person = { client: undefined, user };
const anonymous = { client: undefined, user: undefined, guest: { kind: "anonymous", server_id: "s1" } } as const;
const foreign = { client: undefined, user: undefined, guest: { kind: "passthrough", server_id: "s1" } } as const;

const ask = (who: Pick<Question, "client" | "user" | "guest">, target: Server, endpoint: string | undefined = "up") =>
  decide({ mode: "enterprise", ...who, endpoint, server: target });

const open: Rule = { type: "passthrough", anonymous: "allow" };
const closed: Rule = { type: "passthrough", anonymous: "deny" };
const paid: Rule = { type: "passthrough", anonymous: "allow_with_credential" };
const signed: Rule = { type: "passthrough", anonymous: "deny", jwt: { jwks_url: "https://i.test/keys" } };

describe("agent authentication", () => {
  it.each<[string, Rule, typeof machine | typeof person, string, string]>([
    ["any takes a machine", { type: "any" }, machine, "allow", "on_allow_list"],
    ["any takes a person", { type: "any" }, person, "allow", "user_admitted"],
    ["interactive takes a person", { type: "interactive" }, person, "allow", "user_admitted"],
    ["interactive takes no machine", { type: "interactive" }, machine, "deny", "people_only"],
    ["machine takes a machine", { type: "machine" }, machine, "allow", "on_allow_list"],
    ["machine takes no person", { type: "machine" }, person, "deny", "machines_only"],
    ["passthrough takes a machine that it knows", closed, machine, "allow", "on_allow_list"],
    ["passthrough takes a person whom it knows", closed, person, "allow", "user_admitted"],
  ])("A1: %s", (_title, rule, who, effect, reason) => {
    expect(ask(who, server(rule))).toMatchObject({ effect, reason });
  });

  it.each<[string, Rule, typeof anonymous | typeof foreign, string, string]>([
    ["anonymous callers are let in by allow", open, anonymous, "allow", "passthrough:anonymous"],
    ["anonymous callers are let in by allow_with_credential", paid, anonymous, "allow", "passthrough:anonymous"],
    ["anonymous callers are kept out by deny", closed, anonymous, "deny", "default:deny"],
    [
      "anonymous callers are kept out where a JWT is asked for",
      { ...signed, anonymous: "allow" },
      anonymous,
      "deny",
      "default:deny",
    ],
    [
      "anonymous callers are kept out where there is no passthrough",
      { type: "any" },
      anonymous,
      "deny",
      "default:deny",
    ],
    ["a valid JWT is let in where one is asked for", signed, foreign, "allow", "passthrough:jwt"],
    ["a JWT is worth nothing where none is asked for", open, foreign, "deny", "default:deny"],
    ["a JWT is worth nothing where there is no passthrough", { type: "any" }, foreign, "deny", "default:deny"],
  ])("A6: %s", (_title, rule, who, effect, policy) => {
    expect(ask(who, server(rule))).toMatchObject({ effect, policy });
  });

  it("A6: a guest of one server is nobody at another", () => {
    expect(ask(anonymous, server(open, { id: "s2" }))).toMatchObject({ effect: "deny", reason: "guest_not_admitted" });
  });

  it("A6: a guest is nobody at a server that is switched off", () => {
    expect(ask(anonymous, server(open, { enabled: false }))).toMatchObject({
      effect: "deny",
      reason: "server_disabled",
    });
  });

  const everybody: fc.Arbitrary<Pick<Question, "client" | "user" | "guest">> = fc.constantFrom(
    machine,
    person,
    anonymous,
    foreign,
  );
  const rules: fc.Arbitrary<Rule> = fc.constantFrom<Rule>(
    { type: "any" },
    { type: "interactive" },
    { type: "machine" },
    open,
    closed,
    paid,
    signed,
  );
  const modes = fc.constantFrom("development" as const, "enterprise" as const);

  it("A6: a passthrough server is on no endpoint but its own, for nobody and in no mode", () => {
    fc.assert(
      fc.property(everybody, rules, modes, fc.constantFrom(undefined, "other"), (who, rule, mode, endpoint) => {
        fc.pre(rule.type === "passthrough");
        expect(reach({ mode, ...who, endpoint, server: server(rule) })).toMatchObject({
          effect: "deny",
          reason: "passthrough_only",
        });
      }),
      { seed: 20261121 },
    );
  });

  it("P1: who is neither known nor a guest reaches nothing in enterprise mode", () => {
    fc.assert(
      fc.property(rules, (rule) => {
        const nobody = { client: undefined, user: undefined };
        expect(reach({ mode: "enterprise", ...nobody, endpoint: "up", server: server(rule) }).effect).toBe("deny");
      }),
      { seed: 20261121 },
    );
  });

  it("R1: development mode keeps nobody out for what they are", () => {
    fc.assert(
      fc.property(everybody, rules, (who, rule) => {
        expect(reach({ mode: "development", ...who, endpoint: "up", server: server(rule) }).policy).toBe(
          "development:allow-all",
        );
      }),
      { seed: 20261121 },
    );
  });
});
