import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { Memory } from "../../../src/outbound/memory.ts";
import { limits } from "../../../src/limits.ts";
import { modernPost } from "../gateway/support.ts";
import { ask, createWorld, echoUpstream, type World } from "./support.ts";

let world: World;
let token: string;
let serverId: string;
const secret = "organisation-token";

beforeEach(async () => {
  world = await createWorld();
  world.harness.serve("up.upstream.test", echoUpstream());
  serverId = await world.tenant.addServer("up", {
    authentication: { type: "bearer" },
    credential: { type: "bearer", token: secret },
  });
  ({ token } = await world.tenant.addClient(["up"]));
});

/** Whether a call reached the upstream, and the credentials that it was sent with. */
async function call(): Promise<{ worked: boolean; sent: (string | null)[] }> {
  const before = world.harness.seen.length;
  const init = modernPost("tools/call", { name: "echo", arguments: {} }, { token });
  const { text } = await ask(world.harness, "https://a.gw.test/mcp/up", init);
  const sent = world.harness.seen.slice(before).map(({ headers }) => headers.get("authorization"));
  return { worked: text.includes("did echo"), sent: [...new Set(sent)] };
}

const works = { worked: true, sent: [`Bearer ${secret}`] };

describe("a credential in memory", () => {
  it("VT-14: is used for a minute and not a millisecond longer", () => {
    const memory = new Memory<string>();
    memory.set("k", secret, 0);
    expect([memory.get("k", 59_999), memory.get("k", 60_000)]).toEqual([secret, undefined]);
  });

  it("U12: is gone with any change of the tenant, within two seconds", async () => {
    expect(await call()).toEqual(works);
    await env.DB.prepare("UPDATE servers SET credential = '{}' WHERE id = ?").bind(serverId).run();
    await env.TENANT.getByName(world.harness.events[0]?.tenant ?? "").announce();
    world.clock.advance(limits.snapshotFresh_ms);
    expect(await call()).toEqual({ worked: false, sent: [] });
  });

  it("VT-14: is not used after a clock that went back, for which its end is too far away", async () => {
    expect(await call()).toEqual(works);
    await env.DB.prepare("UPDATE servers SET credential = '{}' WHERE id = ?").bind(serverId).run();
    world.clock.jump(-86_400_000);
    expect(await call()).toEqual({ worked: false, sent: [] });
  });

  it("VT-14: is gone with its replacement, at once", async () => {
    expect(await call()).toEqual(works);
    await world.tenant.api("PATCH", `/servers/${serverId}`, { credential: { type: "bearer", token: "another" } });
    expect(await call()).toEqual({ worked: true, sent: ["Bearer another"] });
  });

  it("VT-14: is gone with its removal, at once", async () => {
    expect(await call()).toEqual(works);
    await world.tenant.api("PATCH", `/servers/${serverId}`, { credential: null });
    expect(await call()).toEqual({ worked: false, sent: [] });
  });

  it("VT-14: does not go to the next address of its server", async () => {
    expect(await call()).toEqual(works);
    world.harness.serve("evil.upstream.test", echoUpstream());
    await world.tenant.api("PATCH", `/servers/${serverId}`, { url: "https://evil.upstream.test/mcp" });
    expect((await call()).sent).toEqual([]);
  });
});
