/** Chromium for tests. Of what its package suggests nothing is taken: those flags switch off the very rules that pages are tested against. */
import packaged from "@sparticuz/chromium";
import { chromium, type Browser } from "playwright-core";

export type { Browser, BrowserContext, Page } from "playwright-core";

/** @param arguments_ more flags, for instance `--host-resolver-rules=…` */
export async function launchBrowser(arguments_: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: await packaged.executablePath(),
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", ...arguments_],
  });
}
