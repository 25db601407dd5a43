/** Tokens of this gateway, which go to no server whatever host or tenant issued them. */
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

const part = (value: object): string =>
  new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });

/** An access token as each of the hosts issues them. */
const tokenOf = (iss: string): string =>
  [
    part({ alg: "ES256", typ: "at+jwt", kid: "k" }),
    part({ iss, sub: "alice", aud: `${iss}/mcp`, client_id: "c", scope: "mcp", exp: 4_000_000_000 }),
    part({ signature: "of-64-bytes-which-nobody-looks-at-here" }),
  ].join(".");

beforeAll(async () => {
  world = await createPassthroughWorld();
  await world.add("open", passthrough({ anonymous: "allow" }));
});

describe("an access token of another host of the same installation", () => {
  it.each([
    ["Authorization", (token: string) => ({ authorization: `Bearer ${token}` })],
    ["another header", (token: string) => ({ "x-upstream-token": token })],
  ])("HD-06, U12: goes to no passthrough server in %s", async (_title, headers) => {
    const token = tokenOf("https://b.gw.test");
    const before = reached(world, "open").length;
    await ask(world.harness, pathOf("open"), call(headers(token)));
    const seen = reached(world, "open").slice(before);
    expect(JSON.stringify(seen.map((one) => [...one.headers]))).not.toContain(token);
  });
});
