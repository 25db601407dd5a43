/** Text of others in Chromium: nothing of it runs, whatever it looks like. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { registerServer } from "../../../scripts/lib/admin-api.ts";
import { openAs, startWorld, webClient, type World } from "./world.ts";

/** Each would set `canary` where it was taken for markup, for a script or for an address. */
const payloads = [
  "<script>canary=1</script>",
  "</title><script>canary=1</script>",
  "<img src=x onerror=canary=1>",
  "<svg onload=canary=1>",
  "<svg><script>canary=1</script></svg>",
  "<body onload=canary=1>",
  "<iframe srcdoc='<script>top.canary=1</script>'>",
  "<details open ontoggle=canary=1>",
  "<input autofocus onfocus=canary=1>",
  "<video><source onerror=canary=1>",
  "<math><mi xlink:href='javascript:canary=1'>x",
  "<a href='javascript:canary=1'>x</a>",
  "<form action='javascript:canary=1'><button>x",
  "<meta http-equiv=refresh content='0;url=javascript:canary=1'>",
  "<link rel=stylesheet href='data:text/css,*{color:red}'>",
  "<style>@import 'data:text/css,*{color:red}'</style>",
  "<base href='https://evil.test/'>",
  '"><script>canary=1</script>',
  "'><script>canary=1</script>",
  '" autofocus onfocus=canary=1 x="',
  "' onmouseover=canary=1 x='",
  "javascript:canary=1",
  "{{constructor.constructor('canary=1')()}}",
  "${canary=1}",
  "&lt;script&gt;canary=1&lt;/script&gt;",
  "&#60;script>canary=1</script>",
  "<!--><script>canary=1</script>-->",
  "<![CDATA[<script>canary=1</script>]]>",
  "<xss style='animation-name:x' onanimationstart=canary=1>",
  "<template><script>canary=1</script></template>",
];

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  await world.dispose();
});

it("CO-21, AD-05: names of clients and servers are shown as they are, and run nowhere", async () => {
  const redirect_uri = `${webClient}/callback`;
  const access = { everyone: true };
  for (const [index, name] of payloads.entries()) {
    const url = `https://server-${index}.example.com/mcp`;
    await registerServer(world.gatehouse.api, { slug: `hostile-${index}`, name, url, access });
  }
  const context = await world.browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  const said: string[] = [];
  page.on("dialog", (dialog) => void said.push(dialog.message()));
  page.on("console", (message) => void said.push(message.text()));
  const expectQuiet = async (where: string): Promise<void> => {
    const state = await page.evaluate(() => ({
      canary: (globalThis as { canary?: unknown }).canary,
      scripts: document.scripts.length,
      foreign: document.querySelectorAll("img, iframe, style, base, video, details, math, template, xss, svg[onload]")
        .length,
    }));
    expect({ where, said, ...state }).toEqual({ where, said: [], canary: undefined, scripts: 0, foreign: 0 });
  };
  for (const name of payloads.slice(0, 15)) {
    const client = await world.register(name, redirect_uri);
    await openAs(page, world.authorizeUrl(client, redirect_uri), "ada");
    expect(await page.locator("h1").innerText()).toContain("wants to connect");
    await expectQuiet(name);
  }
  // One of them is allowed, so that the other pages have something to show.
  await page.getByRole("button", { name: "Allow" }).click();
  await page.waitForURL(`${redirect_uri}?**`);
  const database = await world.gatehouse.runtime.mf.getD1Database("DB", "gatehouse");
  await database.prepare("update grants set redeemed_at = created_at, expires_at = created_at + 864000000").run();
  for (const path of ["/me", "/admin/agents", "/admin/redirect-uris"]) {
    await page.goto(`${world.origin}${path}`);
    await expectQuiet(path);
  }
  await page.goto(`${world.origin}/admin/agents`);
  await page.locator("tbody a").first().click();
  await expectQuiet("agent");
  await context.close();
}, 120_000);
