// Signing in with node-oidc-provider, in Debian's Chromium: tests/it/pages/browser.rs starts both servers and runs this.
import assert from "node:assert/strict";
import { browser, env, look, open } from "./opened.mjs";

const { UNLEAK_BASE: base, UNLEAK_PROVIDER: provider, UNLEAK_LEAK: leak, UNLEAK_FOREIGN_LEAK: foreign } = env;

/** At the provider: whoever's login is typed, and a yes to what we ask for. */
async function asSomebody(page, login) {
  await page.locator("input[name=login]").fill(login);
  await page.locator("input[name=password]").fill("anything");
  await page.locator("[type=submit]").first().click();
  await page.getByRole("button", { name: "Continue" }).click();
}

/** By the keyboard, from a page that was wanted and back to it. */
async function ann() {
  const { context, page, faults } = await open({}, [base, provider]);
  await page.goto(base + leak);
  await look(page, "sign-in-elsewhere", "wide-light");
  assert.match(await page.evaluate(() => document.activeElement.textContent), /^Sign in with Acme/);
  await page.keyboard.press("Enter");
  await asSomebody(page, "ann");
  await page.getByRole("heading", { name: "Example token" }).waitFor();
  assert.equal(new URL(page.url()).pathname, leak);
  assert.equal((await page.goto(base + foreign)).status(), 404);
  await page.goto(base + leak);
  await page.getByText("Dismiss with a reason").click();
  await page.getByLabel("Why it needs nothing").fill("a sample");
  await page.getByRole("button", { name: "Dismiss", exact: true }).click();
  await page.locator("#part-state .state.dismissed").waitFor();
  const session = (await context.cookies(base)).find((cookie) => cookie.name === "unleak");
  assert(session.httpOnly && session.sameSite === "Strict", JSON.stringify(session));

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();
  await look(page, "signed-out-elsewhere", "wide-light");
  await page.getByRole("link", { name: "Sign out there, too" }).click();
  await page.locator("button[type=submit]").first().click();
  await page.waitForURL(base + "/sign-in?said=signed-out");
  // the provider knows nobody any more: it asks again
  await page.getByRole("link", { name: /^Sign in with/ }).click();
  await page.locator("input[name=login]").waitFor();
  assert.deepEqual(faults, []);
  await context.close();
}

/** Without a script, an operator by a group. */
async function olga() {
  const { context, page } = await open({ javaScriptEnabled: false }, [base, provider]);
  await page.goto(base + "/tasks");
  await page.getByRole("link", { name: /^Sign in with/ }).click();
  await asSomebody(page, "olga");
  await page.getByRole("heading", { name: "Tasks", exact: true }).waitFor();
  await page.getByText("olga@mail.example").waitFor();
  await context.close();
}

/** An address that the provider never verified. */
async function nobody() {
  const { context, page } = await open({}, [base, provider]);
  await page.goto(base + "/leaks");
  await page.getByRole("link", { name: /^Sign in with/ }).click();
  await asSomebody(page, "fake-ann");
  await page.getByText("nobody here is called that", { exact: false }).waitFor();
  await look(page, "sign-in-refused", "wide-light");
  await page.goto(base + "/leaks");
  assert(page.url().includes("/sign-in?next="), page.url());
  await context.close();
}

try {
  for (const colorScheme of ["light", "dark"]) {
    const { context, page } = await open({ colorScheme, viewport: { width: 390, height: 860 } });
    await page.goto(base + "/sign-in");
    await look(page, "sign-in-elsewhere", `narrow-${colorScheme}`);
    await context.close();
  }
  await ann();
  await olga();
  await nobody();
} finally {
  await browser.close();
}
