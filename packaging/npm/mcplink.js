#!/usr/bin/env node
// Starts the binary of this platform, which npm has installed beside this package, and ends as it ends.
"use strict";

const { spawn } = require("node:child_process");
const os = require("node:os");

const name = `@mcplink/${process.platform}-${process.arch}`;
const file = process.platform === "win32" ? "mcplink.exe" : "mcplink";

let binary;
try {
  binary = require.resolve(`${name}/bin/${file}`);
} catch {
  console.error(
    `error: mcplink has no binary for ${process.platform} on ${process.arch} here\n` +
      `why: the package ${name} is not installed; npm leaves it out with --omit=optional, or there is none\n` +
      "next: npm install mcplink --include=optional",
  );
  process.exit(1);
}

const child = spawn(binary, process.argv.slice(2), { stdio: "inherit", windowsHide: true });

// A terminal signals both; a host that ends a server signals this process alone. It outlives the signal, to end as the child does.
const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
for (const signal of signals) {
  process.on(signal, () => child.kill(signal));
}

child.on("error", (error) => {
  console.error(`error: mcplink did not start\nwhy: ${binary}: ${error.message}\nnext: npm install --force mcplink`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  if (signal === null) {
    process.exit(code);
  }
  const number = os.constants.signals[signal] ?? 0;
  process.exit(128 + number);
});
