/** The header of an administrator's pages, which have most places: one row where there is room, and no more than the window is wide. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { openAs, startWorld, type Page, type World } from "./world.ts";

let world: World;
let page: Page;
beforeAll(async () => {
  world = await startWorld();
  page = await world.browser.newPage();
  await openAs(page, `${world.origin}/login`, "ada");
});
afterAll(async () => {
  await world.dispose();
});

/** Tops of what stands in it, and by how much the page is wider than the window. */
async function headerAt(width: number): Promise<{ readonly rows: number; readonly overflow: number }> {
  await page.setViewportSize({ width, height: 800 });
  await page.goto(`${world.origin}/admin/connections`);
  return page.evaluate(() => {
    const middles = [...document.querySelectorAll(".top .brand, .top .nav a, .top .who button")].map((element) => {
      const { top, height } = element.getBoundingClientRect();
      return Math.round(top + height / 2);
    });
    const { scrollWidth, clientWidth } = document.documentElement;
    return { rows: new Set(middles).size, overflow: scrollWidth - clientWidth };
  });
}

it.each([960, 1000, 1280])("A13: stands in one row at %d px", async (width) => {
  expect(await headerAt(width)).toEqual({ rows: 1, overflow: 0 });
});

it.each([320, 390, 768])("A13: takes more rows at %d px, and is no wider than the window", async (width) => {
  const { rows, overflow } = await headerAt(width);
  expect(overflow).toBe(0);
  expect(rows).toBeGreaterThan(1);
});

it("A13: gives up the end of a long name before it takes another row", async () => {
  expect(await headerAt(1000)).toEqual({ rows: 1, overflow: 0 });
  const rows = await page.evaluate(() => {
    const name = document.querySelector(".top .who bdi");
    if (name !== null) name.textContent = "Augusta Ada King-Noel, Countess of Lovelace, of the Analytical Engine";
    const [brand, button] = [".top .brand", ".top .who button"].map((query) => {
      const box = document.querySelector(query)?.getBoundingClientRect();
      return box === undefined ? undefined : Math.round(box.top + box.height / 2);
    });
    const { scrollWidth, clientWidth } = document.documentElement;
    return { isOne: brand === button, overflow: scrollWidth - clientWidth };
  });
  expect(rows).toEqual({ isOne: true, overflow: 0 });
});
