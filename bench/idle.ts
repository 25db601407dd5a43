/**
 * How long one call takes with an access token, alone: when everything is warm, with a token that this isolate has not seen, and after
 * a pause, when the configuration must be compared with the Tenant object before the token counts.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { modernRequest } from "../test/system/support/modern-request.ts";
import type { Instance } from "./instance.ts";

export interface IdleFigures {
  readonly warm_us: readonly number[];
  readonly new_token_us: readonly number[];
  readonly after_idle_us: readonly number[];
}

/** Longer than a snapshot is fresh. */
const pause_ms = 2_500;
const calls = { warm: 50, newToken: 30, afterIdle: 8 };

export async function measureIdle({ endpoint, newAccessToken }: Instance): Promise<IdleFigures> {
  const timed = async (token: string): Promise<number> => {
    const request = modernRequest({
      method: "tools/call",
      params: { name: "small", arguments: { query: "twenty characters ..." } },
      token,
      id: 1,
    });
    const started = performance.now();
    const response = await fetch(endpoint, { method: "POST", headers: request.headers, body: request.body });
    await response.arrayBuffer();
    if (response.status !== 200) throw new Error(`A call with an access token failed: HTTP ${response.status}`);
    return (performance.now() - started) * 1000;
  };
  const series = async (count: number, prepare: () => Promise<string>): Promise<number[]> => {
    const taken: number[] = [];
    for (let done = 0; done < count; done += 1) taken.push(await timed(await prepare()));
    return taken;
  };
  const token = await newAccessToken();
  for (let done = 0; done < calls.warm; done += 1) await timed(token);
  return {
    warm_us: await series(calls.warm, () => Promise.resolve(token)),
    new_token_us: await series(calls.newToken, newAccessToken),
    after_idle_us: await series(calls.afterIdle, async () => {
      await sleep(pause_ms);
      return token;
    }),
  };
}
