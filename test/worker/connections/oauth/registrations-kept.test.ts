/** Which registrations at an authorization server stay, whatever people begin and do not finish. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { knownParty, refresh, resolveParty } from "../../../../src/connections/oauth/index.ts";
import { connections, openDatabase } from "../../../../src/db/index.ts";
import { limits } from "../../../../src/limits.ts";
import { createUsual, errorOf, serverOf, valueOf } from "./support.ts";
import { attemptsOf, begin, beginThree, clientOf, counting, oauth, type Usual } from "./registrations-support.ts";

const connect = (world: Usual, user_id: string, account: string, client_id: string) =>
  openDatabase(env.DB)
    .insert(connections)
    .values({
      ...{ tenant_id: world.base.tenant.id, id: crypto.randomUUID(), user_id, target: "server-1" },
      ...{ account, is_default: account === "default", state: "linked", credential: "", issuer: "https://as.test" },
      ...{ token_endpoint: "https://as.test/token", client_id, fit: "", step_ups: 0, revision: 1 },
      ...{ tries: 0, created_at: 0, updated_at: 0 },
    });

describe("registrations", () => {
  it("UP-15, RX-16: links that two persons abandon and complete take no registration from the connections of others", async () => {
    const world = await counting();
    const held = valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
    expect(held.client_id).toBe("dcr-1");
    for (let at = 0; at < 100; at += 1) await connect(world, `honest-${at}`, "default", "dcr-1");
    for (let at = 0; at < 20; at += 1) {
      const user_id = at < 10 ? "mallory" : "trudy";
      world.advance(limits.registrationPause_ms);
      await beginThree(world, user_id);
      const client = await clientOf(world);
      await connect(world, user_id, `account-${at}`, client);
    }
    const party = await knownParty(world.base, await serverOf(world, oauth), held);
    expect(party.ok ? party.value.client_id : party.error).toBe("dcr-1");
    // With as many in use as are kept, a doubt makes no further one.
    expect(world.provider.registrations).toHaveLength(limits.upstreamClientsPerServer_count);
  });

  it("UP-15: none goes that something is connected with, however many there are", async () => {
    const world = await createUsual();
    const resolved = async (at: number) => {
      const client_secret_expires_at = Math.floor(world.now() / 1000) + 60;
      world.provider.registered = { client_id: `dcr-${at}`, client_secret: "s", client_secret_expires_at };
      return valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
    };
    const first = await resolved(0);
    await connect(world, "ada", "default", first.client_id);
    for (let at = 1; at <= limits.upstreamClientsPerServer_count + 1; at += 1) {
      world.advance(61_000);
      await connect(world, `person-${at}`, "default", (await resolved(at)).client_id);
    }
    expect(valueOf(await knownParty(world.base, await serverOf(world, oauth), first)).client_id).toBe("dcr-0");
  });

  it("U1: one that gave way because it was lost does not come back when its successor is doubted", async () => {
    const world = await counting();
    expect(await clientOf(world)).toBe("dcr-1");
    world.advance(limits.registrationPause_ms);
    await beginThree(world);
    const second = valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
    expect(second.client_id).toBe("dcr-2");
    // Somebody links with dcr-2; later the provider loses that as well.
    expect(await attemptsOf(world).use(await begin(world), "ada", world.now())).toBe(true);
    world.advance(limits.registrationPause_ms + limits.link_ms);
    world.provider.answer = () => Response.json({ error: "invalid_client" }, { status: 401 });
    expect(errorOf(await refresh(world.base, second, "rt")).reason).toBe("invalid_client");
    expect(await clientOf(world)).toBe("dcr-3");
  });

  it("U1: a provider that gives the same client again has given a new registration, not one to doubt", async () => {
    const world = await createUsual();
    expect(await clientOf(world)).toBe("dcr-1");
    world.advance(limits.registrationPause_ms);
    await beginThree(world);
    expect([await clientOf(world), await clientOf(world), await clientOf(world)]).toEqual(["dcr-1", "dcr-1", "dcr-1"]);
    expect(world.provider.registrations).toHaveLength(2);
  });
});
