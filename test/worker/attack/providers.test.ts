/** Authorization servers that mean harm, or have a bad minute. */
import { describe, expect, it } from "vitest";
import { knownParty, refresh, resolveParty } from "../../../src/connections/oauth/index.ts";
import { createUsual, serverOf, valueOf } from "../connections/oauth/support.ts";

const oauth = { type: "oauth" };

describe("one answer of an authorization server that is false", () => {
  it("UP-16: `invalid_client` at one person's renewal does not log all others out", async () => {
    const world = await createUsual();
    const server = await serverOf(world, oauth);
    const held = valueOf(await resolveParty(world.base, server));
    const usual = world.provider.answer;
    // A replica that has not heard of the client yet, a restart, a rollback: a minute later it is known again.
    world.provider.answer = () => Response.json({ error: "invalid_client" }, { status: 401 });
    await refresh(world.base, held, "rt-alice");
    world.provider.answer = usual;
    const bobs = await knownParty(world.base, server, held);
    expect(bobs.ok).toBe(true);
    expect((await refresh(world.base, valueOf(bobs), "rt-bob")).ok).toBe(true);
  });

  it("UP-16: `invalid_client` does not end the connection itself: only `invalid_grant` does", async () => {
    const world = await createUsual();
    const server = await serverOf(world, oauth);
    const held = valueOf(await resolveParty(world.base, server));
    world.provider.answer = () => Response.json({ error: "invalid_client" }, { status: 401 });
    const refused = await refresh(world.base, held, "rt-alice");
    expect(refused.ok ? undefined : refused.error.kind).toBe("wrong");
  });
});

describe("a tenant with two hostnames, or that moves to another", () => {
  const elsewhere = "https://b.gw.test";

  it("UP-06: a link at one of them does not log out those who linked at the other", async () => {
    const world = await createUsual();
    const server = await serverOf(world, oauth);
    const held = valueOf(await resolveParty(world.base, server));
    world.provider.registered = { client_id: "dcr-2", client_secret: "dcr-secret-2" };
    const there = { ...world.base, tenant: { ...world.base.tenant, origin: elsewhere } };
    valueOf(await resolveParty(there, server));
    expect((await knownParty(world.base, server, held)).ok).toBe(true);
  });

  it("UP-21: what was linked by the document of one is renewed and revoked from the other", async () => {
    const world = await createUsual();
    world.provider.metadata = { client_id_metadata_document_supported: true };
    const server = await serverOf(world, oauth);
    const held = valueOf(await resolveParty(world.base, server));
    const there = { ...world.base, tenant: { ...world.base.tenant, origin: elsewhere } };
    const known = await knownParty(there, server, held, "revoke");
    expect(known.ok ? undefined : known.error).not.toEqual({ kind: "dead", reason: "client_gone" });
  });
});
