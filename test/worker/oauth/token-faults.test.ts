/** What fails between the parts of a token request: who is told to come again finds the code or the refresh token as good as it was. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { faultyDatabase } from "../security/support.ts";
import { authEvents, createGrantWorld, type Answer, type GrantWorld } from "./grant-world.ts";

let world: GrantWorld;

const outcome = ({ status, body }: Answer): unknown[] => [status, body["error"]];

function expectError(answer: Answer, status: number, error: string): void {
  expect(outcome(answer)).toEqual([status, error]);
}

/** What fails when the test says so: all of the audit log, or D1. */
function faults() {
  const state = { audit: false };
  const failing = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(from, property) {
        if (state.audit && ["send", "get", "getByName", "idFromName"].includes(String(property)))
          throw new Error("down");
        const member: unknown = Reflect.get(from, property);
        return typeof member === "function" ? (member.bind(from) as unknown) : member;
      },
    });
  return { state, bindings: { AUDIT: failing(env.AUDIT), OUTBOX: failing(env.OUTBOX) } };
}

/** The namespace of grants, with something that happens once the object has answered. */
function withGrants(afterMove: (move: unknown) => void | Promise<unknown>): Partial<Env> {
  const GRANT = {
    getByName: (name: string) => {
      const real = env.GRANT.getByName(name);
      return {
        create: (...more: Parameters<typeof real.create>) => real.create(...more),
        end: (now: number) => real.end(now),
        async redeem(...more: Parameters<typeof real.redeem>) {
          const answer = await real.redeem(...more);
          await afterMove(more[2]);
          return answer;
        },
        async rotate(...more: Parameters<typeof real.rotate>) {
          const answer = await real.rotate(...more);
          await afterMove(more[2]);
          return answer;
        },
      };
    },
  };
  return { GRANT } as unknown as Partial<Env>;
}

describe("a failure of ours", () => {
  it("TK-01: to record a code leaves it as good as it was", async () => {
    const { state, bindings } = faults();
    world = await createGrantWorld({ bindings });
    const code = await world.consent();
    state.audit = true;
    const first = await world.redeem(code);
    expectError(first, 503, "temporarily_unavailable");
    expect(first.headers.get("retry-after")).toBe("1");
    state.audit = false;
    world.clock.jump(1_000);
    expect((await world.redeem(code)).status).toBe(200);
  });

  it("TK-12: to record a refresh is no reuse, however long it lasts", async () => {
    const { state, bindings } = faults();
    world = await createGrantWorld({ bindings });
    const { body } = await world.redeem(await world.consent());
    state.audit = true;
    expectError(await world.refresh(body["refresh_token"]), 503, "temporarily_unavailable");
    state.audit = false;
    world.clock.jump(2 * limits.refreshGrace_ms);
    expect((await world.refresh(body["refresh_token"])).status).toBe(200);
  });

  it("TK-12: of the database once the object has said that it would move is no reuse", async () => {
    const database = faultyDatabase();
    let isArmed = false;
    const moves: unknown[] = [];
    const bindings = withGrants((move) => {
      moves.push(move);
      if (isArmed) database.fault = "before";
    });
    world = await createGrantWorld({ bindings: { ...bindings, DB: database.DB } });
    const { body } = await world.redeem(await world.consent());
    isArmed = true;
    expectError(await world.refresh(body["refresh_token"]), 503, "temporarily_unavailable");
    expect(moves).toEqual(["foresee", "take", "foresee"]);
    [isArmed, database.fault] = [false, "none"];
    world.clock.jump(2 * limits.refreshGrace_ms);
    expect((await world.refresh(body["refresh_token"])).status).toBe(200);
  });

  it("TK-14: to bring the object's answer is made up for, and moves once", async () => {
    let lost = 0;
    const bindings = withGrants((move) => {
      if (move === "take" && lost++ % 2 === 0) throw new Error("connection lost");
    });
    world = await createGrantWorld({ bindings });
    const first = await world.redeem(await world.consent());
    const second = await world.refresh(first.body["refresh_token"]);
    const third = await world.refresh(second.body["refresh_token"]);
    expect([first.status, second.status, third.status, lost]).toEqual([200, 200, 200, 6]);
  });

  it("TK-12: to revoke what the object has ended is made up for when the token comes again", async () => {
    const database = faultyDatabase();
    let isArmed = false;
    const bindings = withGrants(() => {
      if (isArmed) database.fault = "before";
    });
    world = await createGrantWorld({ bindings: { ...bindings, DB: database.DB } });
    const one = await world.redeem(await world.consent());
    const two = await world.refresh(one.body["refresh_token"]);
    world.clock.jump(limits.refreshGrace_ms + 1);
    const three = await world.refresh(two.body["refresh_token"]);
    isArmed = true;
    expectError(await world.refresh(one.body["refresh_token"]), 503, "temporarily_unavailable");
    [isArmed, database.fault] = [false, "none"];
    expect((await world.call(three.body["access_token"])).status).toBe(200);
    expectError(await world.refresh(one.body["refresh_token"]), 400, "invalid_grant");
    expect((await world.call(three.body["access_token"])).status).toBe(401);
    expect(authEvents(world.harness).slice(-2)).toEqual([
      ["grant.revoke", "ok", "grant_ended"],
      ["token.refresh", "refused", "refresh_ended"],
    ]);
  });

  it.each(["foresee", "take"])(
    "TK-18: its redirect URL that goes during a refresh (%s) leaves no token",
    async (at) => {
      let between: (() => Promise<unknown>) | undefined;
      const bindings = withGrants(async (move) => {
        if (move !== at) return;
        const now = between;
        between = undefined;
        await now?.();
      });
      world = await createGrantWorld({ bindings });
      const { body } = await world.redeem(await world.consent());
      // Idle for longer than a token lives.
      world.clock.jump(limits.revocation_ms + 60_000);
      const { items } = (await (await world.admin.api("GET", "/redirect-uris")).json()) as { items: { id: string }[] };
      between = () => world.admin.api("DELETE", `/redirect-uris/${items[0]?.id}`);
      const refreshed = await world.refresh(body["refresh_token"]);
      expect(refreshed.status).toBe(at === "foresee" ? 400 : 200);
      expect((await world.call(refreshed.body["access_token"])).status).toBe(401);
    },
  );
});
