import { beforeEach, describe, expect, it } from "vitest";
import { createHarness, modernPost, modernUpstream, setUp, type Harness, type Tenant } from "./support.ts";

let harness: Harness;
let tenant: Tenant;
let token: string;

beforeEach(async () => {
  harness = createHarness();
  tenant = await setUp(harness);
  await tenant.addServer("up");
  ({ token } = await tenant.addClient(["up"]));
});

describe("a call on the transparent endpoint", () => {
  it("F2: reaches the upstream with its own names and comes back with its own bytes", async () => {
    const body =
      '{"result" : {"resultType":"complete","content":[{"type":"text","text":"h\\u00e9"}],"x":1.0,"big":12345678901234567890},"id":1,"jsonrpc":"2.0"}';
    harness.serve(
      "up.upstream.test",
      modernUpstream(({ message }) =>
        message["method"] === "tools/list"
          ? { tools: [] }
          : new Response(body, { headers: { "content-type": "application/json" } }),
      ),
    );
    const response = await harness.fetch(
      `${tenant.origin}/mcp/up`,
      modernPost("tools/call", { name: "echo", arguments: { a: 1 } }, { token }),
    );
    expect(await response.text()).toBe(body);
    expect(harness.seen.at(-1)?.message["params"]).toMatchObject({ name: "echo", arguments: { a: 1 } });
  });
});
