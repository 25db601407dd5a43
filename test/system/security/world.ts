/** The built Worker in enterprise mode before a spy, with one client; and requests to it, byte by byte. */
import { registerServer } from "../../../scripts/lib/admin-api.ts";
import { startGatehouse, type Gatehouse } from "../support/gatehouse.ts";
import { modernRequest, type ModernRequest } from "../support/modern-request.ts";
import { rawRequest, type RawAnswer } from "../support/raw-request.ts";
import { modernServer } from "../support/spy-servers.ts";
import { startSpyUpstream, type SpyUpstream } from "../support/spy-upstream.ts";

export interface World {
  readonly gatehouse: Gatehouse;
  readonly spy: SpyUpstream;
  readonly token: string;
  /** `localhost` with the port: the host of the tenant. */
  readonly host: string;
  dispose(): Promise<void>;
}

export type Lines = readonly (readonly [string, string])[];

export async function startWorld(mode: "development" | "enterprise" = "enterprise"): Promise<World> {
  const spy = await startSpyUpstream(modernServer({ tools: [{ name: "echo" }] }));
  const gatehouse = await startGatehouse({ mode, vars: { GATEHOUSE_EGRESS_ORIGINS: spy.url.origin } });
  await registerServer(gatehouse.api, { slug: "up", url: spy.url.href });
  const { token } = mode === "enterprise" ? await gatehouse.issueClientToken(["up"]) : { token: "" };
  return {
    ...{ gatehouse, spy, token, host: `localhost:${gatehouse.url.port}` },
    async dispose() {
      await gatehouse.dispose();
      await spy.close();
    },
  };
}

export interface RawCall {
  readonly target?: string;
  readonly method?: string;
  /** In place of the right Host lines; empty for none. */
  readonly hosts?: readonly string[];
  /** Further lines, behind the right ones. */
  readonly lines?: Lines;
  readonly request?: Partial<ModernRequest>;
}

/** A right tools/call by hand, with what the test changes. */
export function rawCall(world: World, change: RawCall = {}): Promise<RawAnswer> {
  const call: ModernRequest = {
    method: "tools/call",
    params: { name: "echo", arguments: {} },
    ...(world.token === "" ? {} : { token: world.token }),
    ...change.request,
  };
  const { headers, body } = modernRequest(call);
  const hosts = (change.hosts ?? [world.host]).map((host): readonly [string, string] => ["Host", host]);
  return rawRequest(world.gatehouse.url, {
    method: change.method ?? "POST",
    target: change.target ?? "/mcp/up",
    headers: [...hosts, ...Object.entries(headers), ...(change.lines ?? [])],
    body,
  });
}
