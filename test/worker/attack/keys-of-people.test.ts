/** Keys that people gave for one purpose, in the hands of an administrator who has another one. */
import { beforeEach, describe, expect, it } from "vitest";
import { authenticationFor } from "../../../src/outbound/index.ts";
import { createWorld, type World } from "../outbound/support.ts";

let world: World;

beforeEach(async () => {
  world = await createWorld();
});

describe("a key that a person gave for a credential", () => {
  it("U12, SS-21: is not sent to a server that an administrator adds afterwards, before the person agrees", async () => {
    const credential_id = await world.keep("user");
    const outbound_headers = [{ source: "stored_credential", name: "X-Own-Key", credential_id }];
    await world.server({ outbound_headers });
    const person = await world.person("bob@a.test");
    await world.give(person, credential_id, "canary-of-bob");
    const evil = await world.server({ url: "https://evil.test/mcp", outbound_headers });
    const added = await authenticationFor(await world.context({ user: person }), evil);
    expect(JSON.stringify(added)).not.toContain("canary-of-bob");
  });
});
