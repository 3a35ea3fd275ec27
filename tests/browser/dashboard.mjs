// The pages of `unleak serve` in Debian's Chromium: tests/it/pages/browser.rs starts the server and runs this.
// Everything that goes wrong ends it with a sentence.
import assert from "node:assert/strict";
import { browser, env, look, open, tabTo } from "./opened.mjs";

const base = env.UNLEAK_BASE;
const leak = env.UNLEAK_LEAK;

async function signIn(page, token) {
  await page.goto(base + "/leaks");
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Leaks", exact: true }).waitFor();
}

/** Every page, wide and narrow, light and dark. */
async function everyPage() {
  const pages = {
    leaks: "/leaks", "leaks-none": "/leaks?q=nothing-at-all", leak, plan: `${leak}/plan/revoke`, trends: "/trends",
    services: "/services", policy: "/policy", tasks: "/tasks", organisations: "/organisations",
    organisation: "/organisations/acme", "organisation-tokens": "/organisations/acme/tokens",
    "organisation-policy": "/organisations/acme/policy", "organisation-review": "/organisations/acme/review",
    "organisation-audit": "/organisations/acme/audit", users: "/users", audit: "/audit", missing: "/organisations/none",
  };
  for (const colorScheme of ["light", "dark"]) {
    for (const [width, size] of [[1280, "wide"], [390, "narrow"]]) {
      const { context, page, faults } = await open({ colorScheme, viewport: { width, height: 860 } });
      const mode = `${size}-${colorScheme}`;
      await page.goto(base + "/sign-in");
      await look(page, "sign-in", mode);
      await signIn(page, env.UNLEAK_OPERATOR);
      for (const [name, address] of Object.entries(pages)) {
        await page.goto(base + address);
        if (name === "leak") await page.getByText("Dismiss with a reason").click();
        await look(page, name, mode);
      }
      await page.goto(base + "/organisations/acme/policy");
      await page.getByLabel("Refuse tokens of people", { exact: false }).check();
      await page.getByRole("button", { name: "Try it out" }).click();
      await page.getByRole("heading", { name: "What it would stop" }).waitFor();
      await look(page, "organisation-policy-tried", mode);
      assert.deepEqual(faults, [], mode);
      await context.close();
    }
  }
}

/** A member sees the leaks of their organisation alone, and cannot override. */
async function asMember() {
  const { context, page, faults } = await open();
  await signIn(page, env.UNLEAK_TOKEN_MAX);
  const links = await page.locator("table.list a").evaluateAll((all) => all.map((one) => one.getAttribute("href")));
  assert(links.includes(leak) && !links.includes(env.UNLEAK_FOREIGN_LEAK), String(links));
  const foreign = await page.goto(base + env.UNLEAK_FOREIGN_LEAK);
  assert.equal(foreign.status(), 404);
  await page.goto(base + leak);
  assert.equal(await page.getByRole("button", { name: /Approve|Dismiss|Verify/ }).count(), 0);
  assert(!(await page.content()).includes("@mail.example"));
  const key = await page.locator("input[name=key]").first().inputValue();
  // a form that the page does not offer, sent all the same
  const status = await page.evaluate(async ([to, key]) => {
    const answer = await fetch(to, { method: "POST", body: new URLSearchParams({ key, read: "yes" }) });
    return answer.status;
  }, [`${leak}/act/revoke`, key]);
  assert.equal(status, 403);
  assert.deepEqual(faults, []);
  await context.close();
}

/** ann says yes by keyboard; her page, open in another window, follows until the token is dead. */
async function approve() {
  const first = await open();
  await first.page.goto(base + leak);
  assert.equal(await first.page.evaluate(() => document.activeElement.id), "token", "one can type at once");
  await first.page.keyboard.type(env.UNLEAK_TOKEN_ANN);
  await first.page.keyboard.press("Enter");
  await first.page.getByRole("heading", { name: "Example token" }).waitFor();
  await first.page.keyboard.press("Tab");
  assert.equal(await first.page.evaluate(() => document.activeElement.innerText), "Skip to the page");
  await first.page.keyboard.press("Enter");
  await tabTo(first.page, "button", "Approve: revoke");
  await first.page.keyboard.press("Enter");
  await first.page.getByText("Your yes is written down.", { exact: false }).waitFor();
  await first.page.getByText("You have said yes.", { exact: false }).waitFor();

  const second = await open();
  await signIn(second.page, env.UNLEAK_TOKEN_AMY);
  await second.page.goto(base + leak);
  await tabTo(second.page, "button", "Approve: revoke");
  await second.page.keyboard.press("Space");
  await second.page.locator("#part-state .state.dead").waitFor();
  // ann touched nothing: her page followed by itself, and says so to a screen reader
  await first.page.locator("#part-state .state.dead").waitFor();
  await first.page.locator("#live-said", { hasText: "The leak is dead." }).waitFor();
  await first.page.getByText("approved by ann, amy", { exact: false }).first().waitFor();
  await first.page.getByText("At the command line").waitFor({ state: "detached" });
  await look(first.page, "leak-dead", "wide-light");
  assert.deepEqual([...first.faults, ...second.faults], []);
  await first.context.close();
  await second.context.close();
}

/** Everything but the following works without a script. */
async function withoutScript() {
  const { context, page } = await open({ javaScriptEnabled: false });
  await signIn(page, env.UNLEAK_OPERATOR);
  await page.getByLabel("Search", { exact: true }).fill("example/token");
  await page.getByLabel("State", { exact: true }).selectOption("dead");
  await page.getByRole("button", { name: "Show" }).click();
  await page.locator("table.list a").first().click();
  await page.getByText("Nothing is left to do", { exact: false }).waitFor();
  await page.goto(base + env.UNLEAK_FOREIGN_LEAK);
  await page.getByText("Dismiss with a reason").click();
  await page.getByLabel("Why it needs nothing").fill("a sample");
  await page.getByRole("button", { name: "Dismiss", exact: true }).click();
  await page.locator("#part-state .state.dismissed").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();
  const answer = await page.goto(base + "/leaks");
  assert(answer.url().includes("/sign-in"));
  await context.close();
}

try {
  await everyPage();
  await asMember();
  await approve();
  await withoutScript();
} finally {
  await browser.close();
}
