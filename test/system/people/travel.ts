/** A person's way through the browser, from the address that a client opens to the client's callback. */
import type { BrowserContext, Page } from "../../../scripts/lib/browser.ts";
import type { Site } from "./site.ts";

export interface Choices {
  readonly person: "ada" | "ben";
  /** Slugs of the servers that stay checked; all of them without it. */
  readonly servers?: readonly string[];
  readonly remember?: boolean;
}

export interface Journey {
  /** What the person was asked on the way. */
  readonly asked: readonly ("who" | "consent")[];
  /** Names of the servers on the consent page. */
  readonly offered: readonly string[];
  readonly arrived: URL;
  /** Of the page where it ended. */
  readonly text: string;
}

const steps_max = 6;

/** Presses a button that leads to another address, and waits for the page there. */
export async function press(page: Page, selector: string): Promise<void> {
  const before = page.url();
  await Promise.all([page.waitForURL((at) => at.href !== before), page.locator(selector).click()]);
}

export async function travel(
  site: Site,
  context: BrowserContext,
  url: URL | string,
  choices: Choices,
): Promise<Journey> {
  const page = await context.newPage();
  try {
    await page.goto(String(url));
    const asked: ("who" | "consent")[] = [];
    let offered: readonly string[] = [];
    for (let step = 0; step < steps_max; step += 1) {
      if (new URL(page.url()).origin === site.origin) site.pages.push(await page.content());
      if ((await page.locator('button[name="person"]').count()) > 0) {
        asked.push("who");
        await press(page, `button[name="person"][value="${choices.person}"]`);
      } else if ((await page.locator('button[name="decision"]').count()) > 0) {
        asked.push("consent");
        offered = await decide(site, page, choices);
        await press(page, 'button[name="decision"][value="allow"]');
      } else break;
    }
    const arrived = new URL(page.url());
    const code = arrived.searchParams.get("code");
    if (code !== null) site.secrets.add(code);
    return { asked, offered, arrived, text: await page.locator("body").innerText() };
  } finally {
    await page.close();
  }
}

/** Checks the chosen servers only. @returns the slugs that were offered */
async function decide(site: Site, page: Page, { servers, remember }: Choices): Promise<string[]> {
  if (remember === true) await page.getByLabel("Remember my answer").check();
  const offered: string[] = [];
  for (const [slug, id] of site.servers) {
    const box = page.locator(`input[name="server"][value="${id}"]`);
    if ((await box.count()) === 0) continue;
    offered.push(slug);
    await box.setChecked(servers === undefined || servers.includes(slug));
  }
  return offered.sort();
}
