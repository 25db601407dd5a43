/** How the administrators' list of connections names the accounts. */
import { expect, it } from "vitest";
import { createConnectWorld, link, person } from "./connect-support.ts";
import { alice, Browser } from "./support.ts";

it("U14: shows no account by the word that stands for one without a name", async () => {
  const world = await createConnectWorld();
  const { browser } = await person(world, "Charles Example");
  await link(world, browser);
  await link(world, browser, "/connect/vendor?another=yes", [["account", "work"]]);
  const staff = new Browser(world);
  await staff.signIn(alice);
  const html = await (await staff.get("/admin/connections")).text();
  const cells = [...html.matchAll(/<td[^>]*data-column="Account"[^>]*>(.*?)<\/td>/gs)].map(([, cell = ""]) =>
    cell.replaceAll(/<[^>]*>/g, "").trim(),
  );
  expect(cells).toContain("work");
  expect(cells).toContain("Account");
  expect(html).toContain('aria-label="Remove the account of Charles Example at Vendor"');
  expect(html).toContain('aria-label="Remove work of Charles Example at Vendor"');
  expect(html).not.toMatch(/\bdefault\b/);
}, 30_000);
