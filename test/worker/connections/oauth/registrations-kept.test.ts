/** Which registrations at an authorization server stay, whatever people begin and do not finish. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { knownParty, refresh, resolveParty } from "../../../../src/connections/oauth/index.ts";
import { linkAttempts } from "../../../../src/connections/linking/attempts.ts";
import { connections, openDatabase } from "../../../../src/db/index.ts";
import { limits } from "../../../../src/limits.ts";
import { createUsual, errorOf, serverOf, valueOf } from "./support.ts";

type Usual = Awaited<ReturnType<typeof createUsual>>;
const oauth = { type: "oauth" };

async function counting(): Promise<Usual> {
  const world = await createUsual();
  const { handle } = world.provider;
  let count = 0;
  world.serve("https://as.test", (sent) => {
    if (sent.url.endsWith("/register")) {
      count += 1;
      world.provider.registered = { client_id: `dcr-${count}`, client_secret: `dcr-secret-${count}` };
    }
    return handle(sent);
  });
  return world;
}

async function lose(world: Usual, user_id: string): Promise<void> {
  for (let count = 0; count < limits.lostLinks_count; count += 1) {
    const state_hash = crypto.randomUUID();
    await linkAttempts(openDatabase(env.DB), world.base.tenant.id).begin({
      ...{ state_hash, link_id: state_hash, user_id, server_id: "server-1", pending: "" },
      ...{ created_at: world.now(), expires_at: world.now() + limits.link_ms },
    });
    world.advance(1000);
  }
}

const connect = (world: Usual, user_id: string, account: string, client_id: string) =>
  openDatabase(env.DB)
    .insert(connections)
    .values({
      ...{ tenant_id: world.base.tenant.id, id: crypto.randomUUID(), user_id, target: "server-1" },
      ...{ account, is_default: account === "default", state: "linked", credential: "", issuer: "https://as.test" },
      ...{ token_endpoint: "https://as.test/token", client_id, fit: "", step_ups: 0, revision: 1 },
      ...{ tries: 0, created_at: 0, updated_at: 0 },
    });

const clientOf = async (world: Usual, revision = 1): Promise<string> =>
  valueOf(await resolveParty(world.base, await serverOf(world, oauth, { revision }))).client_id;

describe("registrations", () => {
  it("UP-15, RX-16: links that two persons abandon and complete take no registration from the connections of others", async () => {
    const world = await counting();
    const held = valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
    expect(held.client_id).toBe("dcr-1");
    for (let at = 0; at < 100; at += 1) await connect(world, `honest-${at}`, "default", "dcr-1");
    for (let at = 0; at < 20; at += 1) {
      const user_id = at < 10 ? "mallory" : "trudy";
      world.advance(limits.registrationPause_ms);
      await lose(world, user_id);
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
    await lose(world, "ada");
    const second = valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
    expect(second.client_id).toBe("dcr-2");
    // Somebody links with dcr-2; later the provider loses that as well.
    const attempts = linkAttempts(openDatabase(env.DB), world.base.tenant.id);
    await attempts.begin({
      ...{ state_hash: "good", link_id: "good", user_id: "ada", server_id: "server-1", pending: "" },
      ...{ created_at: world.now(), expires_at: world.now() + limits.link_ms },
    });
    world.advance(1000);
    expect(await attempts.use("good", "ada", world.now())).toBe(true);
    world.advance(limits.registrationPause_ms + limits.link_ms);
    world.provider.answer = () => Response.json({ error: "invalid_client" }, { status: 401 });
    expect(errorOf(await refresh(world.base, second, "rt")).reason).toBe("invalid_client");
    expect(await clientOf(world)).toBe("dcr-3");
  });
});
