/** Starts the process with the upstreams. */
import { randomBytes } from "node:crypto";
import type { Upstreams } from "./instance.ts";
import { startPeer, type Peer } from "./peer.ts";
import { upstreamPaths, type UpstreamStart, type UpstreamStarted } from "./upstream.ts";

const start_ms = 60_000;

export interface UpstreamProcess {
  readonly peer: Pick<Peer<UpstreamStart, UpstreamStarted>, "pid" | "stop">;
  readonly upstreams: Upstreams;
}

/** @throws when it does not start */
export async function startUpstreams(): Promise<UpstreamProcess> {
  const token = randomBytes(32).toString("base64url");
  const peer = startPeer<UpstreamStart, UpstreamStarted>(new URL("upstream.ts", import.meta.url));
  try {
    const { port } = await peer.ask({ token }, start_ms);
    const at = (path: string): URL => new URL(`http://127.0.0.1:${port}${path}`);
    const { modern, legacy, delayed } = upstreamPaths;
    return { peer, upstreams: { modern: at(modern), legacy: at(legacy), delayed: at(delayed), token } };
  } catch (error) {
    await peer.stop();
    throw error;
  }
}
