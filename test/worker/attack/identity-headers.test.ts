/** Headers that claim an identity, at a server that gets all headers of its callers. */
import { beforeAll, describe, expect, it } from "vitest";
import {
  call,
  createPassthroughWorld,
  passthrough,
  pathOf,
  reached,
  type PassthroughWorld,
} from "../admission/passthrough-support.ts";
import { ask } from "../security/support.ts";

let world: PassthroughWorld;

beforeAll(async () => {
  world = await createPassthroughWorld();
  await world.add("open", passthrough({ anonymous: "allow" }));
});

describe("HD-03: a header by which somebody says who they are", () => {
  it.each(["X-User", "X_User_Id", "X-Forwarded-User"])("HD-03: %s is not what a stranger says", async (name) => {
    const before = reached(world, "open").length;
    await ask(world.harness, pathOf("open"), call({ [name]: "administrator" }));
    const seen = reached(world, "open").slice(before);
    expect(JSON.stringify(seen.map((one) => [...one.headers]))).not.toContain("administrator");
  });
});
