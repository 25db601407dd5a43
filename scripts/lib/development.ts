/** `npm start`: development mode, two demo servers behind it, no sign-in. */
import { createApi, putServer } from "./admin-api.ts";
import type { Running } from "./running.ts";
import { welcome } from "./welcome.ts";

/** @returns what to print once everything answers */
export async function startDevelopment(running: Running, port: number, state: string): Promise<string> {
  const [gateway, upstreams] = await Promise.all([
    running.startGateway(port, state, { GATEHOUSE_MODE: "development" }),
    running.startUpstreams(),
  ]);
  const api = createApi(gateway.url);
  const everything = { slug: "everything", name: "Everything (official test server)" };
  await putServer(api, { ...everything, url: upstreams.everything.href });
  await putServer(api, { slug: "demo", name: "Demo", url: upstreams.demo.href });
  return welcome(gateway.url, ["demo", "everything"], `.gatehouse/${port}/`);
}
