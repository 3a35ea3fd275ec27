// The HTML report in a browser: opened from disk, with and without JavaScript, by keyboard, judged by axe-core, and with
// ten thousand findings. Debian's Chromium, playwright-core and axe-core; tests/run installs them.
//
//   node tests/tools/page.mjs UNLEAK CHROMIUM NODE_MODULES [SCREENSHOTS]

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [unleak, chromium, modules, screenshots] = process.argv.slice(2).map((arg) => path.resolve(arg));
assert.ok(modules, "use: page.mjs UNLEAK CHROMIUM NODE_MODULES [SCREENSHOTS]");
const load = createRequire(path.join(modules, "x.js"));
const { chromium: browsers } = load("playwright-core");
const axe = fs.readFileSync(load.resolve("axe-core/axe.min.js"), "utf8");

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "unleak-page-"));
const home = path.join(folder, "home");
const work = path.join(folder, "work");
for (const made of [home, work]) fs.mkdirSync(made);

// Tokens of GitHub's shape with its checksum, made here: none of them was ever issued, and no file holds one.
const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const crc32 = (text) => {
  let crc = ~0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
};
let seed = 7;
const letter = () => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return BASE62[(seed >>> 8) % 62];
};
const token = (prefix = "ghp") => {
  const body = Array.from({ length: 30 }, letter).join("");
  let rest = crc32(body);
  let sum = "";
  for (let at = 0; at < 6; at += 1) {
    sum = BASE62[rest % 62] + sum;
    rest = Math.floor(rest / 62);
  }
  return `${prefix}_${body}${sum}`;
};
const write = (name, text) => {
  fs.mkdirSync(path.dirname(path.join(work, name)), { recursive: true });
  fs.writeFileSync(path.join(work, name), text);
};
const env = { PATH: process.env.PATH, HOME: home, GIT_CONFIG_NOSYSTEM: "1" };
const git = (...args) =>
  execFileSync("git", ["-c", "user.name=Ada Author", "-c", "user.email=ada@example.com", ...args], { cwd: work, env });
const scan = (args, expected) =>
  new Promise((resolve) => {
    // Not execFileSync: the service below has to answer meanwhile.
    const child = spawn(unleak, args, { cwd: work, env, stdio: ["ignore", "ignore", "pipe"] });
    let err = "";
    child.stderr.on("data", (data) => (err += data));
    child.on("close", (code) => {
      assert.equal(code, expected, err);
      resolve();
    });
  });

// GitHub, played: one token is alive, the others are not.
const live = token();
const service = http.createServer((request, response) => {
  if (request.headers.authorization?.endsWith(live)) {
    response.writeHead(200, { "content-type": "application/json", "x-oauth-scopes": "repo, admin:org" });
    response.end('{"login":"octo","email":"octo@example.com","id":1}');
  } else {
    response.writeHead(401, { "content-type": "application/json" });
    response.end('{"message":"Bad credentials"}');
  }
});
await new Promise((resolve) => service.listen(0, "127.0.0.1", resolve));
const config = path.join(folder, "config.toml");
const played = ["github", "slack", "posthog", "gitlab"].map(
  (name) => `[services.${name}]\nbases = ["http://127.0.0.1:${service.address().port}"]\n`,
);
fs.writeFileSync(config, played.join(""));

git("init", "--quiet", "--initial-branch=main");
git("remote", "add", "origin", "git@github.com:acme/shop.git");
for (const at of [1, 2, 3, 4, 5, 6, 7]) {
  write(`deploy/region-${at}/settings.env`, `# region ${at}\nGITHUB_TOKEN="${live}"  # used by the release job\n`);
}
write("config/production.yml", `github:\n  token: ${token()}\n`);
write("docs/sample.md", `A sample: ${token()} <!-- unleak:ignore github only a sample -->\n`);
write("web/index.html", `<script>posthog.init("${["phc", "_"].join("")}${token().slice(4)}abcdefg")</script>\n`);
write("notes/dünne & <breite>.txt", `slack ${["xoxb", "-"].join("")}123456789012-1234567890123-${token().slice(4, 28)}\n`);
git("add", "--all");
git("commit", "--quiet", "-m", "settings", "--date", "2026-01-02T03:04:05Z");
const page = path.join(folder, "page.html");
await scan(["--config", config, "scan", ".", "gone/away", "--verify", "--format", `html=${page}`], 3);

const many = path.join(folder, "many");
fs.mkdirSync(many);
let lines = "";
for (let at = 0; at < 10000; at += 1) {
  lines += `SERVICE_${at}_TOKEN = "${token()}"\n`;
  if (at % 10 === 9) {
    fs.mkdirSync(path.join(many, `area-${at % 70}`), { recursive: true });
    fs.writeFileSync(path.join(many, `area-${at % 70}`, `settings-${at}.env`), lines);
    lines = "";
  }
}
const large = path.join(folder, "large.html");
await scan(["scan", many, "--format", `html=${large}`], 1);
const clean = path.join(folder, "clean.html");
write("empty/nothing.txt", "nothing to see\n");
await scan(["scan", "empty", "--format", `html=${clean}`], 0);
service.close();

const browser = await browsers.launch({ executablePath: chromium, args: ["--no-sandbox"] });
const open = async (file, options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const tab = await context.newPage();
  const said = [];
  tab.on("console", (message) => said.push(message.text()));
  tab.on("pageerror", (error) => said.push(String(error)));
  tab.on("request", (request) => request.url().startsWith("file:") || said.push(`asks for ${request.url()}`));
  await tab.goto(pathToFileURL(file).href);
  return { tab, said, close: () => context.close() };
};
const shown = (tab) => tab.locator(".leak:visible").count();

const secretsStayOut = () => {
  for (const file of [page, large]) assert.ok(!fs.readFileSync(file, "utf8").includes(live.slice(4)), file);
};

const withoutScript = async () => {
  const { tab, said, close } = await open(page, { javaScriptEnabled: false });
  assert.equal(await tab.locator("#filter").isVisible(), false);
  assert.equal(await shown(tab), await tab.locator(".leak").count());
  await tab.getByText("10 more places").first().click();
  assert.equal(await tab.getByText("deploy/region-7/settings.env:2:15").first().isVisible(), true);
  assert.deepEqual(said, []);
  await close();
};

const filters = async () => {
  const { tab, said, close } = await open(page);
  const all = await tab.locator(".leak").count();
  assert.ok(all >= 4, `${all} leaks`);
  await tab.getByLabel("Text").fill("octo admin:org");
  await tab.waitForFunction(() => document.getElementById("count").value.startsWith("1 of"));
  assert.equal(await shown(tab), 1);
  assert.match(await tab.locator(".leak:visible").innerText(), /live/i);
  await tab.getByRole("button", { name: "Clear" }).click();
  await tab.waitForFunction((all) => document.getElementById("count").value === `${all} shown`, all);
  await tab.getByLabel("Path").fill("region-6");
  await tab.waitForFunction(() => document.getElementById("count").value.startsWith("1 of"));
  const there = await tab.locator(".leak:visible .path:visible").allInnerTexts();
  assert.ok(there.length >= 1 && there.every((text) => text.includes("region-6")), there.join());
  await tab.getByLabel("Path").fill("");
  await tab.getByRole("checkbox", { name: /^dead/ }).check({ force: true });
  await tab.waitForFunction((all) => document.getElementById("count").value !== `${all} shown`, all);
  const dead = await shown(tab);
  assert.ok(dead >= 1 && dead < all);
  await tab.reload();
  assert.equal(await shown(tab), dead, "the filters stand in the address");
  await tab.getByLabel("Text").fill("no such leak anywhere");
  await tab.getByText("No leak fits these filters.").waitFor();
  assert.deepEqual(said, []);
  await close();
};

const byKeyboard = async () => {
  const { tab, close } = await open(page);
  const focused = () => tab.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());
  await tab.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the leaks");
  await tab.keyboard.press("Enter");
  assert.equal(await focused(), "leaks");
  await tab.keyboard.press("/");
  assert.equal(await focused(), "text");
  await tab.keyboard.type("live");
  for (const field of ["path", "service"]) {
    await tab.keyboard.press("Tab");
    assert.equal(await focused(), field);
  }
  await tab.keyboard.press("Tab");
  await tab.keyboard.press("Space");
  assert.equal(await tab.evaluate(() => document.activeElement.checked), true);
  await close();
};

const accessible = async () => {
  for (const [file, colorScheme, width] of [
    [page, "light", 1280],
    [page, "dark", 1280],
    [page, "light", 320],
    [clean, "light", 1280],
  ]) {
    const { tab, close } = await open(file, { colorScheme, viewport: { width, height: 900 } });
    for (const summary of await tab.locator("summary").all()) await summary.click();
    // evaluate() runs outside of the page's policy, which refuses every script but its own.
    const found = await tab.evaluate(`${axe}; axe.run().then((result) => result.violations)`);
    const bad = found.filter((one) => ["serious", "critical"].includes(one.impact));
    const told = bad.map((one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => node.html).slice(0, 3)}`);
    assert.deepEqual(told, [], `${colorScheme} ${width}`);
    const wide = await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${width}: ${wide} pixels too wide`);
    await close();
  }
};

const tenThousand = async () => {
  const began = performance.now();
  const { tab, said, close } = await open(large);
  const opened = performance.now() - began;
  assert.equal(await tab.locator(".leak").count(), 10000);
  const took = await tab.evaluate(async () => {
    const field = document.getElementById("text");
    const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const times = [];
    for (const words of ["service_9", "service_99", "service_999_", "area-30", "", "settings-49"]) {
      const start = performance.now();
      field.value = words;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      await painted();
      times.push([words, document.getElementById("count").value, Math.round(performance.now() - start)]);
    }
    return times;
  });
  assert.equal(took[2][1], "1 of 10000 shown");
  assert.deepEqual(said, []);
  const size = fs.statSync(large).size / 1e6;
  console.log(`10,000 findings: ${size.toFixed(1)} MB, opened in ${Math.round(opened)} ms; filters, in ms:`);
  for (const [words, count, ms] of took) console.log(`  ${JSON.stringify(words)}: ${count}, ${ms}`);
  await close();
};

const printed = async () => {
  const { tab, close } = await open(page);
  await tab.emulateMedia({ media: "print" });
  assert.equal(await tab.locator("#filter").isVisible(), false);
  if (screenshots) await tab.pdf({ path: path.join(screenshots, "print.pdf") });
  await close();
};

const pictures = async () => {
  fs.mkdirSync(screenshots, { recursive: true });
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 400]) {
      for (const [name, file] of [["page", page], ["clean", clean]]) {
        const { tab, close } = await open(file, { colorScheme, viewport: { width, height: 900 } });
        const picture = path.join(screenshots, `${name}-${colorScheme}-${width}.png`);
        await tab.screenshot({ path: picture, fullPage: true });
        await close();
      }
    }
  }
  const { tab, close } = await open(large);
  await tab.screenshot({ path: path.join(screenshots, "large.png") });
  await close();
};

try {
  secretsStayOut();
  if (screenshots) await pictures();
  for (const test of [withoutScript, filters, byKeyboard, accessible, tenThousand, printed]) {
    await test();
    console.log(`ok  ${test.name}`);
  }
} finally {
  await browser.close();
  fs.rmSync(folder, { recursive: true });
}
