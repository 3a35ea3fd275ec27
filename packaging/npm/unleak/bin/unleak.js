#!/usr/bin/env node
// Runs the binary that the package of this platform holds. Nothing is downloaded, and there is no install script.
"use strict";

const { spawnSync } = require("node:child_process");

const name = `unleak-${process.platform}-${process.arch}`;

let binary;
try {
  binary = require.resolve(`${name}/bin/unleak`);
} catch {
  console.error(
    `unleak: the package ${name} is not installed. It comes as an optional dependency: install without --omit=optional, ` +
      "or there is no binary for this platform yet.",
  );
  process.exit(2);
}

const run = spawnSync(binary, process.argv.slice(2), { stdio: "inherit" });
if (run.error) {
  console.error(`unleak: ${binary} cannot be run: ${run.error.message}`);
  process.exit(2);
}
if (run.signal) {
  process.kill(process.pid, run.signal);
}
process.exit(run.status ?? 2);
