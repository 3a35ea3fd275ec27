// What the tests in a browser share: Debian's Chromium, how a page is looked at, and the keyboard.
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

export const env = process.env;
const require = createRequire(path.join(env.UNLEAK_BROWSER_TOOLS, "package.json"));
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((file) => fs.existsSync(file));
assert(executablePath, "no Chromium: tests/run installs Debian's");

export const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

/** A browser of its own for one person, who goes to these servers alone; whatever the console complains of is a fault. */
export async function open(options = {}, servers = [env.UNLEAK_BASE]) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  await context.route("**", (route) => {
    const url = route.request().url();
    if (servers.some((server) => url.startsWith(server + "/"))) return route.continue();
    // what the pages of others want from elsewhere is no business of ours
    if (new URL(page.url()).origin === env.UNLEAK_BASE) faults.push("asked elsewhere: " + url);
    return route.abort();
  });
  return { context, page, faults };
}

/** axe finds nothing serious, the page is no wider than its window, and a picture is taken where one is wanted. */
export async function look(page, name, mode) {
  // what a person typed or was shown once is no business of a picture
  const shots = env.UNLEAK_SHOTS;
  if (shots) {
    fs.mkdirSync(shots, { recursive: true });
    await page.screenshot({ path: path.join(shots, `${name}-${mode}.png`), fullPage: true });
  }
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert(wider <= 0, `${name} ${mode} is ${wider} pixels too wide`);
  const { violations } = await page.evaluate(axe + "; axe.run(document, { resultTypes: ['violations'] })");
  const serious = violations.filter((one) => one.impact === "serious" || one.impact === "critical");
  const told = serious.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
  assert.deepEqual(told, [], `${name} ${mode}`);
}

/** The keyboard alone: tabs until something of this name has the focus. */
export async function tabTo(page, role, name) {
  for (let step = 0; step < 80; step += 1) {
    await page.keyboard.press("Tab");
    const there = await page.evaluate(() => {
      const at = document.activeElement;
      const outline = getComputedStyle(at).outlineStyle;
      return { name: (at.innerText || at.labels?.[0]?.innerText || "").trim(), tag: at.tagName, outline };
    });
    if (there.name.startsWith(name)) {
      assert.notEqual(there.outline, "none", `${name} shows that it has the focus`);
      return;
    }
  }
  assert.fail(`the keyboard does not reach the ${role} ${name}`);
}
