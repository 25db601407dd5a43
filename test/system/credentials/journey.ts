/**
 * A person's way through the browser over three parties: the organisation's identity provider, Gatehouse with its questions, and the
 * provider whose account is connected.
 */
import type { BrowserContext, Page } from "../../../scripts/lib/browser.ts";
import type { Site } from "../people/site.ts";
import { press } from "../people/travel.ts";

export interface Steps {
  /** At the organisation. */
  readonly person: "ada" | "ben";
  /** At the provider. */
  readonly account: string;
  /** Slugs of servers to connect from the consent page, in this order. */
  readonly connects?: readonly string[];
  /** What they paste where a key is asked for. */
  readonly key?: string;
  readonly username?: string;
  /** The name that they give another account. */
  readonly accountName?: string;
  /** They cancel at the provider. */
  readonly refuses?: boolean;
}

/** `who`: sign-in at the organisation; `consent`: of the application; `connect`: Gatehouse's page; `account`, `authorize`: the provider's. */
export type Question = "who" | "consent" | "connect" | "account" | "authorize";

export interface Journey {
  readonly asked: readonly Question[];
  readonly arrived: URL;
  /** Of the page where it ended. */
  readonly text: string;
}

const steps_max = 16;

/** @returns once a page asks nothing more */
export async function go(site: Site, context: BrowserContext, url: URL | string, steps: Steps): Promise<Journey> {
  const page = await context.newPage();
  const asked: Question[] = [];
  const connects = [...(steps.connects ?? [])];
  try {
    await page.goto(String(url));
    while (asked.length < steps_max) {
      if (new URL(page.url()).origin === site.origin) site.pages.push(await page.content());
      const question = await answerPage(site, page, steps, connects, asked.at(-1));
      if (question === undefined) break;
      asked.push(question);
    }
    const arrived = new URL(page.url());
    const code = arrived.searchParams.get("code");
    if (code !== null) site.secrets.add(code);
    return { asked, arrived, text: await page.locator("body").innerText() };
  } finally {
    await page.close();
  }
}

/** @returns what was asked and answered, or undefined where nothing is asked */
async function answerPage(
  site: Site,
  page: Page,
  steps: Steps,
  connects: string[],
  before: Question | undefined,
): Promise<Question | undefined> {
  const has = async (selector: string): Promise<boolean> => (await page.locator(selector).count()) > 0;
  const { origin } = new URL(page.url());
  if (await has('button[name="person"]')) {
    const isOurs = origin === site.identity.issuer;
    await press(page, `button[name="person"][value="${isOurs ? steps.person : steps.account}"]`);
    return isOurs ? "who" : "account";
  }
  if (await has('button[name="answer"]')) {
    await press(page, `button[name="answer"][value="${steps.refuses === true ? "cancel" : "authorize"}"]`);
    return "authorize";
  }
  if (origin !== site.origin) return undefined;
  if (await has('button[name="decision"]')) {
    const slug = connects.shift();
    if (slug === undefined) await press(page, 'button[name="decision"][value="allow"]');
    else await press(page, `button[name="connect"][value="${slug}"]`);
    return slug === undefined ? "consent" : "connect";
  }
  if (await has('form[action^="/connect/"]')) {
    // The same page again: what was sent is not taken.
    if (before === "connect" && (await has('[aria-invalid="true"]'))) return undefined;
    return (await submitConnect(page, steps)) ? "connect" : undefined;
  }
  return undefined;
}

/** @returns false where they cannot give what is asked for */
async function submitConnect(page: Page, steps: Steps): Promise<boolean> {
  const form = page.locator('form[action^="/connect/"]');
  for (const [name, value] of [
    ["account", steps.accountName],
    ["username", steps.username],
    ["key", steps.key],
  ] as const) {
    const field = form.locator(`input[name="${name}"]:not([type="hidden"])`);
    if ((await field.count()) === 0) continue;
    if (value === undefined) return false;
    await field.fill(value);
  }
  const answered = page.waitForResponse((response) => response.request().isNavigationRequest());
  await form.getByRole("button").click();
  await answered;
  await page.waitForLoadState();
  return true;
}
